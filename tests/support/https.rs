//! A real HTTPS server on the loopback, with a certificate authority of its own; and a proxy that leads to it.
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, LazyLock, Mutex};
use std::thread;

/// What is answered under a path; 404 where nothing is.
#[derive(Clone)]
pub enum Answer {
    Page(Vec<u8>),
    /// All of it is announced, so much of it comes, then the connection is closed.
    Cut(Vec<u8>, usize),
    /// So much of it comes, then nothing more for as long as the client waits.
    Hang(Vec<u8>, usize),
    Redirect(String),
    /// 503 the first time, then all of it.
    Busy(Vec<u8>),
}

pub struct Https {
    pub port: u16,
    pages: Arc<Mutex<BTreeMap<String, Answer>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

/// What `openssl` made: the authority's certificate, the server's and its key.
struct Authority {
    ca: Vec<u8>,
    certificate: Vec<u8>,
    key: Vec<u8>,
}

/// The name of the server that only the proxy knows.
pub const NAMELESS: &str = "releases.test";

static AUTHORITY: LazyLock<Authority> = LazyLock::new(|| {
    let dir = tempfile::tempdir().unwrap();
    let script = format!(
        "new='-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes'
         openssl req -x509 $new -days 2 -subj /CN=authority -keyout ca.key -out ca.pem
         openssl req $new -subj /CN=server -addext subjectAltName=DNS:localhost,DNS:{NAMELESS} -keyout key.pem -out server.csr
         openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -days 2 -copy_extensions copy -out server.pem"
    );
    let made = Command::new("sh").args(["-ec", &script]).current_dir(dir.path()).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let read = |name: &str| fs::read(dir.path().join(name)).unwrap();
    Authority { ca: read("ca.pem"), certificate: read("server.pem"), key: read("key.pem") }
});

/// Returns the certificate of the authority that every server here has its own from, as PEM.
pub fn authority() -> &'static [u8] {
    &AUTHORITY.ca
}

impl Https {
    /// Serves as long as this process lives.
    pub fn start() -> Self {
        let chain = CertificateDer::pem_slice_iter(&AUTHORITY.certificate).map(Result::unwrap).collect();
        let key = PrivateKeyDer::from_pem_slice(&AUTHORITY.key).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = Arc::new(config.with_no_client_auth().with_single_cert(chain, key).unwrap());
        let (pages, asked) = (Arc::<Mutex<BTreeMap<String, Answer>>>::default(), Arc::<Mutex<Vec<String>>>::default());
        let (shown, book) = (pages.clone(), asked.clone());
        let port = listen(move |stream| {
            let Ok(connection) = ServerConnection::new(config.clone()) else { return };
            drop(answer(StreamOwned::new(connection, stream), &shown, &book));
        });
        Self { port, pages, asked }
    }

    pub fn url(&self) -> String {
        format!("https://localhost:{}", self.port)
    }

    pub fn put(&self, path: &str, answer: Answer) {
        self.pages.lock().unwrap().insert(path.to_owned(), answer);
    }

    /// Returns what is answered under a path.
    pub fn page(&self, path: &str) -> Vec<u8> {
        match &self.pages.lock().unwrap()[path] {
            Answer::Page(body) | Answer::Cut(body, _) | Answer::Hang(body, _) | Answer::Busy(body) => body.clone(),
            Answer::Redirect(_) => Vec::new(),
        }
    }

    pub fn remove(&self, path: &str) {
        self.pages.lock().unwrap().remove(path);
    }

    /// Returns the paths that were asked for since this was called last.
    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }

    /// Returns the address of a proxy that leads every CONNECT to this server.
    pub fn proxy(&self) -> String {
        let port = self.port;
        let proxy = listen(move |stream| drop(tunnel(stream, port)));
        format!("http://127.0.0.1:{proxy}")
    }
}

/// Has each connection handled in a thread of its own; returns the port.
fn listen(handle: impl Fn(TcpStream) + Clone + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let handle = handle.clone();
            thread::spawn(move || handle(stream));
        }
    });
    port
}

fn answer(
    mut stream: StreamOwned<ServerConnection, TcpStream>,
    pages: &Mutex<BTreeMap<String, Answer>>,
    asked: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let path = head(&mut stream)?;
    asked.lock().unwrap().push(path.clone());
    let mut pages = pages.lock().unwrap();
    let answer = pages.get(&path).cloned();
    if let Some(Answer::Busy(body)) = &answer {
        pages.insert(path, Answer::Page(body.clone()));
    }
    drop(pages);
    let (status, header, body, sent, hangs) = match answer {
        Some(Answer::Page(body)) => ("200 OK", String::new(), body, usize::MAX, false),
        Some(Answer::Cut(body, sent)) => ("200 OK", String::new(), body, sent, false),
        Some(Answer::Hang(body, sent)) => ("200 OK", String::new(), body, sent, true),
        Some(Answer::Redirect(to)) => ("302 Found", format!("Location: {to}\r\n"), Vec::new(), 0, false),
        Some(Answer::Busy(_)) => ("503 Service Unavailable", String::new(), Vec::new(), 0, false),
        None => ("404 Not Found", String::new(), b"no such page".to_vec(), usize::MAX, false),
    };
    write!(stream, "HTTP/1.1 {status}\r\n{header}Content-Length: {}\r\nConnection: close\r\n\r\n", body.len())?;
    stream.write_all(&body[..sent.min(body.len())])?;
    stream.flush()?;
    if hangs {
        let _closed = stream.read(&mut [0])?;
    }
    stream.conn.send_close_notify();
    stream.flush()
}

/// Reads the head of a request and returns what it asks for.
fn head(stream: &mut impl Read) -> std::io::Result<String> {
    let mut lines = BufReader::with_capacity(1, stream).lines();
    let first = lines.next().transpose()?.unwrap_or_default();
    for line in lines {
        if line?.is_empty() {
            break;
        }
    }
    Ok(first.split(' ').nth(1).unwrap_or_default().to_owned())
}

fn tunnel(mut client: TcpStream, port: u16) -> std::io::Result<()> {
    head(&mut client)?;
    let mut server = TcpStream::connect(("127.0.0.1", port))?;
    client.write_all(b"HTTP/1.1 200 Connected\r\n\r\n")?;
    let (mut from, mut to) = (client.try_clone()?, server.try_clone()?);
    thread::spawn(move || drop(std::io::copy(&mut from, &mut to)));
    std::io::copy(&mut server, &mut client)?;
    client.shutdown(std::net::Shutdown::Both)
}
