//! Something between a client and the endpoint that can go wrong: it passes on, hangs up, or answers that it is too much.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Mode {
    /// It is passed on.
    Pass,
    /// The connection is closed.
    HangUp,
    /// It is answered with `ThrottlingException`.
    Throttle,
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
        Mode::Pass => {
            let Ok(endpoint) = TcpStream::connect(target) else { return };
            {
                let mut state = state.lock().unwrap();
                if state.mode != Mode::Pass {
                    return;
                }
                state.open.extend([client.try_clone().unwrap(), endpoint.try_clone().unwrap()]);
            }
            let (mut from, mut to) = (client.try_clone().unwrap(), endpoint.try_clone().unwrap());
            thread::spawn(move || {
                let _ = std::io::copy(&mut from, &mut to);
                let _ = to.shutdown(Shutdown::Both);
            });
            let (mut from, mut to) = (endpoint, client);
            let _ = std::io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Both);
        }
    }
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
