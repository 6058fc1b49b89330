//! Something between clients and an emulator that answers a call which the emulator does not know, and passes everything else on.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use serde_json::Value;

/// A call that is answered here.
pub struct Known {
    /// Its method.
    pub method: &'static str,
    /// What its path ends with, before any query.
    pub path_end: &'static str,
    /// The answer.
    pub answer: Value,
}

/// Listens for an emulator that is going to listen at `target`, an address with a port, and says where. It listens until the tests end.
pub fn before(target: String, known: Vec<Known>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let known = Arc::new(known);
    thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let (target, known) = (target.clone(), Arc::clone(&known));
            // A connection that breaks is its client's affair.
            thread::spawn(move || serve(client, &target, &known).ok());
        }
    });
    url
}

/// Reads request by request, since one connection carries many; answers come back as they are.
fn serve(mut client: TcpStream, target: &str, known: &[Known]) -> std::io::Result<()> {
    let mut emulator = TcpStream::connect(target)?;
    for stream in [&client, &emulator] {
        stream.set_nodelay(true)?;
    }
    let (mut answers, mut back) = (emulator.try_clone()?, client.try_clone()?);
    thread::spawn(move || {
        let _ = std::io::copy(&mut answers, &mut back);
        let _ = back.shutdown(Shutdown::Both);
    });
    let mut requests = BufReader::new(client.try_clone()?);
    loop {
        let (mut head, mut body, mut chunked) = (Vec::new(), 0, false);
        loop {
            let from = head.len();
            if requests.read_until(b'\n', &mut head)? == 0 {
                return emulator.shutdown(Shutdown::Write);
            }
            let line = String::from_utf8_lossy(&head[from..]).trim_end().to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            match line.split_once(':') {
                Some(("content-length", length)) => body = length.trim().parse().unwrap_or_default(),
                Some(("transfer-encoding", _)) => chunked = true,
                _ => {}
            }
        }
        let first = String::from_utf8_lossy(&head);
        let mut words = first.split(' ');
        let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let path = path.split('?').next().unwrap_or_default();
        let found = known.iter().find(|known| known.method == method && path.ends_with(known.path_end));
        if let Some(found) = found {
            std::io::copy(&mut requests.by_ref().take(body), &mut std::io::sink())?;
            let text = found.answer.to_string();
            // Nothing else is under way on this connection: clients of AWS wait for one answer before they ask again.
            write!(
                client,
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{text}",
                text.len()
            )?;
            continue;
        }
        emulator.write_all(&head)?;
        if chunked {
            // Where such a body ends is not looked for, so what follows on this connection is passed on as well.
            std::io::copy(&mut requests, &mut emulator)?;
            return emulator.shutdown(Shutdown::Write);
        }
        std::io::copy(&mut requests.by_ref().take(body), &mut emulator)?;
    }
}
