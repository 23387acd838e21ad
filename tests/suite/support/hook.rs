//! A web server that hears what is sent to it and answers as it is told.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

/// What was sent.
#[derive(Debug, Clone)]
pub struct Heard {
    /// `POST /path HTTP/1.1`
    pub line: String,
    /// Names in small letters.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

impl Heard {
    /// A header's value.
    #[track_caller]
    pub fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str()).unwrap_or_else(|| panic!("no header {name} in {self:?}"))
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// A running server. It ends with the process of the tests.
#[derive(Debug, Clone)]
pub struct Hook {
    /// `http://127.0.0.1:PORT`
    pub url: String,
    heard: Arc<Mutex<Vec<Heard>>>,
}

/// `200 OK` and the like, headers, a body; an empty one: no answer at all.
pub type Answer = String;

/// An answer of a status, with further headers, each ending in a line break.
pub fn answer(status: &str, headers: &str, body: &str) -> Answer {
    format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
}

impl Hook {
    /// A server that answers by what it hears.
    pub fn start(rule: impl Fn(&Heard) -> Answer + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let heard = Arc::new(Mutex::new(Vec::new()));
        let all = Arc::clone(&heard);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A client that goes away is what some tests are about.
                let _ = serve(stream, &rule, &all);
            }
        });
        Self { url, heard }
    }

    /// A server that takes everything.
    pub fn open() -> Self {
        Self::start(|_| answer("200 OK", "", "ok"))
    }

    /// What was sent so far.
    pub fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().clone()
    }
}

fn serve(stream: TcpStream, rule: &impl Fn(&Heard) -> Answer, all: &Mutex<Vec<Heard>>) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut headers = Vec::new();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        match header.trim_end().split_once(": ") {
            Some((name, value)) => headers.push((name.to_ascii_lowercase(), value.to_owned())),
            None => break,
        }
    }
    let length = headers.iter().find(|(name, _)| name == "content-length").and_then(|(_, n)| n.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body)?;
    let heard = Heard { line: line.trim_end().to_owned(), headers, body: String::from_utf8_lossy(&body).into_owned() };
    let answer = rule(&heard);
    all.lock().unwrap().push(heard);
    let mut stream = stream;
    if answer.is_empty() {
        // Held open until the client gives up.
        let _ = reader.read(&mut [0]);
    }
    stream.write_all(answer.as_bytes())
}
