//! A server that gives the credential of every request back, in each of the ways that servers do.

use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::support::soon;

/// The ways.
pub(super) const LEAKS: &[&str] =
    &["/echo", "/forms", "/redirect", "/denied", "/broken", "/cut", "/garbage", "/packed", "/large"];

/// The server. `/held` is answered when [`Leaky::release`] says so.
pub(super) struct Leaky {
    port: u16,
    shared: Arc<Shared>,
    _server: JoinSet<()>,
}

struct Shared {
    seen: Mutex<Vec<String>>,
    arrived: Semaphore,
    released: Semaphore,
}

impl Leaky {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (seen, arrived, released) = (Mutex::default(), Semaphore::new(0), Semaphore::new(0));
        let shared = Arc::new(Shared { seen, arrived, released });
        let mut server = JoinSet::new();
        let kept = Arc::clone(&shared);
        server.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream, Arc::clone(&kept)));
            }
        });
        Self { port, shared, _server: server }
    }

    /// The targets: with the credential as a bearer, in the query, and one that has none.
    pub(super) fn targets(&self) -> String {
        let target = |name: &str, more: &str| {
            format!(
                "[[http.target]]\nname = {name:?}\nbase_url = \"http://127.0.0.1:{}\"\nallow_private = true\n\
                 response_max = \"4KiB\"\n{more}\n",
                self.port
            )
        };
        target("leaky", "credential = \"leaky-key\"\n")
            + &target("by-query", "credential = \"leaky-key\"\nauth = \"query\"\nauth_name = \"token\"\n")
            + &target("unused", "")
    }

    /// How many requests carried this.
    pub(super) fn seen(&self, secret: &str) -> usize {
        self.shared.seen.lock().unwrap().iter().filter(|seen| *seen == secret).count()
    }

    /// Waits until a request for `/held` is here.
    pub(super) async fn arrived(&self) {
        soon("a request", self.shared.arrived.acquire()).await.unwrap().forget();
    }

    /// Lets one request for `/held` be answered.
    pub(super) fn release(&self) {
        self.shared.released.add_permits(1);
    }
}

async fn serve(mut stream: TcpStream, shared: Arc<Shared>) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if stream.read_exact(&mut byte).await.is_err() {
            return;
        }
        request.extend(byte);
    }
    let request = String::from_utf8(request).unwrap();
    let url = request.split(' ').nth(1).unwrap_or_default();
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    let bearer = request.lines().find_map(|line| line.strip_prefix("authorization: Bearer "));
    let secret =
        bearer.map_or_else(|| decoded(query.strip_prefix("token=").unwrap_or_default()), str::to_owned);
    shared.seen.lock().unwrap().push(secret.clone());
    if path == "/held" {
        shared.arrived.add_permits(1);
        soon("the release", shared.released.acquire()).await.unwrap().forget();
    }
    // The host may have had enough before the end.
    stream.write_all(&answer(path, &secret, &request)).await.unwrap_or_default();
}

fn answer(path: &str, secret: &str, request: &str) -> Vec<u8> {
    let with = |status: &str, headers: &str, body: &str| {
        let length = body.len();
        format!("HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}")
            .into_bytes()
    };
    let percent: String = secret.bytes().map(|byte| format!("%{byte:02X}")).collect();
    match path {
        "/forms" => {
            let forms = [secret, &STANDARD.encode(secret), &hex::encode(secret), &percent];
            let body = serde_json::json!({ "forms": forms, secret: 1 }).to_string();
            with("200 OK", "content-type: application/json\r\n", &body)
        }
        "/redirect" => with("302 Found", &format!("location: https://evil.example/?t={percent}\r\n"), ""),
        "/denied" => with(
            "401 Unauthorized",
            &format!("www-authenticate: Bearer realm=\"{secret}\"\r\n"),
            &format!("<p>the token {secret} is not valid</p>"),
        ),
        "/broken" => with("500 Internal Server Error", "", &format!("panicked at {request:?}")),
        "/cut" => format!("HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n{secret}").into_bytes(),
        "/garbage" => format!("HTTP/1.1 {secret}\r\n{secret}\r\n\r\n{secret}").into_bytes(),
        "/packed" => with("200 OK", "content-encoding: gzip\r\n", secret),
        "/large" => with("200 OK", "", &secret.repeat(4096)),
        _ => with("200 OK", &format!("x-echo: {secret}\r\n"), request),
    }
}

fn decoded(percent: &str) -> String {
    let mut parts = percent.split('%');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let byte = u8::from_str_radix(&part[..2], 16).unwrap();
        text.push(char::from(byte));
        text.push_str(&part[2..]);
    }
    text
}
