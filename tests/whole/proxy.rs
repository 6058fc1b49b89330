//! Something between a client and the endpoint that can go wrong: it passes on, hangs up, or answers that it is too much.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Mode {
    /// It is passed on.
    Pass,
    /// The connection is closed.
    HangUp,
    /// It is answered with `ThrottlingException`.
    Throttle,
    /// It is passed on; a connection on which nothing was sent for this long is closed, as by a firewall that says so.
    Idle(Duration),
    /// It is passed on; a connection on which nothing was sent for this long carries nothing any more, and nobody is told.
    Forgetful(Duration),
}

struct State {
    mode: Mode,
    open: Vec<TcpStream>,
}

/// The proxy; it listens until the tests end.
pub struct Proxy {
    /// Its address.
    pub url: String,
    state: Arc<Mutex<State>>,
}

impl Proxy {
    /// Listens for the endpoint at `url`.
    pub fn new(url: &str) -> Self {
        let target = url.strip_prefix("http://").unwrap().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State { mode: Mode::Pass, open: Vec::new() }));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let (target, shared) = (target.clone(), Arc::clone(&shared));
                thread::spawn(move || serve(client, &target, &shared));
            }
        });
        Self { url, state }
    }

    /// From now on this is what becomes of requests, also on connections that are open.
    pub fn set(&self, mode: Mode) {
        let mut state = self.state.lock().unwrap();
        state.mode = mode;
        for stream in state.open.drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

fn serve(client: TcpStream, target: &str, state: &Mutex<State>) {
    let mode = state.lock().unwrap().mode;
    match mode {
        Mode::HangUp => {}
        Mode::Throttle => refuse(client),
        Mode::Pass | Mode::Idle(_) | Mode::Forgetful(_) => {
            let Ok(endpoint) = TcpStream::connect(target) else { return };
            {
                let mut state = state.lock().unwrap();
                if state.mode != mode {
                    return;
                }
                state.open.extend([client.try_clone().unwrap(), endpoint.try_clone().unwrap()]);
            }
            let used = Arc::new(Mutex::new(Instant::now()));
            let (from, to) = (client.try_clone().unwrap(), endpoint.try_clone().unwrap());
            let shared = Arc::clone(&used);
            thread::spawn(move || pass_on(from, to, mode, &shared));
            pass_on(endpoint, client, mode, &used);
        }
    }
}

/// Copies one direction of a connection until it ends, or was idle for too long in both.
fn pass_on(mut from: TcpStream, mut to: TcpStream, mode: Mode, used: &Mutex<Instant>) {
    let patience = match mode {
        Mode::Idle(patience) | Mode::Forgetful(patience) => Some(patience),
        _ => None,
    };
    from.set_read_timeout(patience.map(|patience| patience / 10)).unwrap();
    let mut buffer = [0; 64 << 10];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => {
                *used.lock().unwrap() = Instant::now();
                if to.write_all(&buffer[..read]).is_err() {
                    break;
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                if patience.is_some_and(|patience| used.lock().unwrap().elapsed() > patience) {
                    if matches!(mode, Mode::Forgetful(_)) {
                        // Open on both sides, and nobody reads.
                        std::mem::forget((from, to));
                        return;
                    }
                    break;
                }
            }
            Err(_) => break,
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}

fn refuse(mut client: TcpStream) {
    let mut request = BufReader::new(client.try_clone().unwrap());
    let (mut line, mut length) = (String::new(), 0);
    while request.read_line(&mut line).is_ok_and(|read| read > 2) {
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        line.clear();
    }
    let _ = request.take(length).read_to_end(&mut Vec::new());
    let body = r#"{"__type":"ThrottlingException","message":"Rate exceeded"}"#;
    let _ = write!(
        client,
        "HTTP/1.1 400 Bad Request\r\ncontent-type: application/x-amz-json-1.0\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
}
