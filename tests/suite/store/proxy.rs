//! Stands before an S3 server and misbehaves on request. One request per connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What becomes of a request.
pub enum Fate {
    Pass,
    /// The connection is cut after so many bytes of the request's body.
    CutRequest(u64),
    /// The connection is cut after so many bytes of the answer, its head included.
    CutAnswer(u64),
    /// This status, and the server hears nothing of it.
    Answer(u16),
    /// The server does it, and the client gets this status.
    DoneButAnswer(u16),
    /// Passed on, and the answer's `Content-Length` is another.
    ClaimLength(u64),
    /// Never answered.
    Silence,
}

/// A request's first line: `PUT /bucket/key?partNumber=1`.
pub struct Request {
    pub line: String,
    /// How many requests the rule was asked about before.
    pub nth: usize,
}

impl Request {
    pub fn is_part(&self) -> bool {
        self.line.starts_with("PUT ") && self.line.contains("partNumber=")
    }
}

pub struct Proxy {
    pub endpoint: String,
    task: JoinHandle<()>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A proxy before the test server. `rule` decides about every request that `concerns` is true for.
pub async fn start(
    concerns: impl Fn(&Request) -> bool + Send + Sync + 'static,
    rule: impl Fn(&Request) -> Fate + Send + Sync + 'static,
) -> Proxy {
    let server = super::places::variable("CARETAKER_TEST_S3_ENDPOINT").trim_start_matches("http://").to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let seen = AtomicUsize::new(0);
    let decide = move |line: &str| {
        let mut request = Request { line: line.to_owned(), nth: 0 };
        if !concerns(&request) {
            return Fate::Pass;
        }
        request.nth = seen.fetch_add(1, Ordering::SeqCst);
        rule(&request)
    };
    let decide = Arc::new(decide);
    let task = tokio::spawn(async move {
        loop {
            let Ok((client, _)) = listener.accept().await else { return };
            let (decide, server) = (Arc::clone(&decide), server.clone());
            tokio::spawn(async move {
                // A cut connection is what this is for.
                let _ = serve(client, &server, decide.as_ref()).await;
            });
        }
    });
    Proxy { endpoint, task }
}

/// Reads up to the empty line; returns the head and what came of the body with it.
async fn head(stream: &mut TcpStream) -> std::io::Result<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            let body = bytes.split_off(end + 4);
            return Ok((String::from_utf8_lossy(&bytes).into_owned(), body));
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
}

fn content_length(head: &str) -> u64 {
    let line = head.lines().find(|line| line.to_ascii_lowercase().starts_with("content-length:"));
    line.and_then(|line| line.split(':').nth(1)).and_then(|n| n.trim().parse().ok()).unwrap_or(0)
}

async fn serve(mut client: TcpStream, server: &str, decide: &(dyn Fn(&str) -> Fate + Sync)) -> std::io::Result<()> {
    let (request, body) = head(&mut client).await?;
    let rest = content_length(&request).saturating_sub(body.len() as u64);
    let fate = decide(request.lines().next().unwrap_or_default());
    match fate {
        Fate::Answer(status) => {
            discard(&mut client, &request, rest).await?;
            return refuse(&mut client, status).await;
        }
        Fate::Silence => {
            tokio::time::sleep(std::time::Duration::from_secs(3600)).await;
            return Ok(());
        }
        _ => {}
    }
    let mut upstream = TcpStream::connect(server).await?;
    let closing = request.replacen("\r\n", "\r\nConnection: close\r\n", 1);
    upstream.write_all(closing.as_bytes()).await?;
    upstream.write_all(&body).await?;
    match fate {
        Fate::CutRequest(after) => {
            let more = after.saturating_sub(body.len() as u64);
            copy(&mut (&mut client).take(more), &mut upstream).await?;
        }
        Fate::CutAnswer(after) => {
            copy(&mut (&mut client).take(rest), &mut upstream).await?;
            copy(&mut (&mut upstream).take(after), &mut client).await?;
            client.shutdown().await?;
        }
        Fate::DoneButAnswer(status) => {
            copy(&mut (&mut client).take(rest), &mut upstream).await?;
            copy(&mut upstream, &mut tokio::io::sink()).await?;
            refuse(&mut client, status).await?;
        }
        Fate::ClaimLength(bytes) => {
            let (answer, _) = head(&mut upstream).await?;
            let lie = format!("Content-Length: {bytes}");
            let truth = answer.lines().find(|line| line.to_ascii_lowercase().starts_with("content-length:")).unwrap();
            client.write_all(answer.replace(truth, &lie).as_bytes()).await?;
        }
        Fate::Pass | Fate::Answer(_) | Fate::Silence => {
            copy_bidirectional(&mut client, &mut upstream).await?;
        }
    }
    Ok(())
}

async fn discard(client: &mut TcpStream, request: &str, rest: u64) -> std::io::Result<()> {
    if request.to_ascii_lowercase().contains("100-continue") {
        client.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
    }
    copy(&mut client.take(rest), &mut tokio::io::sink()).await.map(drop)
}

async fn refuse(client: &mut TcpStream, status: u16) -> std::io::Result<()> {
    let answer = format!("HTTP/1.1 {status} No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    client.write_all(answer.as_bytes()).await?;
    client.shutdown().await
}
