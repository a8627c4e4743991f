//! A git server over HTTP on loopback: `git http-backend` behind it, a login before it, and a connection that fails on demand.
use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How the server behaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mood {
    /// It answers.
    Well,
    /// It hangs up in the middle of a pack.
    Cut,
    /// It says nothing more from the middle of an answer whose URL holds this.
    Stalled(&'static str),
    /// It wants this `Authorization` header.
    Asking(&'static str),
}

/// A server of the repositories below a directory.
pub struct Server {
    /// `http://127.0.0.1:PORT`.
    pub url: String,
    /// How it behaves from the next request on.
    pub mood: Arc<Mutex<Mood>>,
    /// The request lines so far.
    pub asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub fn of(directory: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = Self { url, mood: Arc::new(Mutex::new(Mood::Well)), asked: Arc::default() };
        let (root, mood, asked) = (directory.to_owned(), server.mood.clone(), server.asked.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (root, mood, asked) = (root.clone(), mood.clone(), asked.clone());
                std::thread::spawn(move || answer(stream, &root, &mood, &asked));
            }
        });
        server
    }

    pub fn becomes(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }
}

fn answer(mut stream: TcpStream, root: &PathBuf, mood: &Mutex<Mood>, asked: &Mutex<Vec<String>>) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let request = line.trim_end().to_owned();
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.insert(name.to_lowercase(), value.to_owned());
    }
    asked.lock().unwrap().push(request.clone());
    let mut words = request.split(' ');
    let (method, target) = (words.next()?, words.next()?);
    // A proxy is asked for a whole URL.
    let path = target.strip_prefix("http://").map_or(target, |rest| rest.find('/').map_or("/", |at| &rest[at..]));
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let header = |name: &str| headers.get(name).map_or("", String::as_str);
    let mut body = vec![0; header("content-length").parse().unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    let mood = mood.lock().unwrap().clone();
    if let Mood::Asking(login) = mood
        && header("authorization") != login
    {
        let refusal = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"git\"\r\nContent-Length: 0\r\n\r\n";
        return stream.write_all(refusal.as_bytes()).ok();
    }
    let mut backend = Command::new("git");
    backend.arg("http-backend").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    backend.env("GIT_PROJECT_ROOT", root).env("GIT_HTTP_EXPORT_ALL", "1").env("PATH_INFO", path);
    backend.env("QUERY_STRING", query).env("REQUEST_METHOD", method).env("CONTENT_TYPE", header("content-type"));
    backend.env("HTTP_CONTENT_ENCODING", header("content-encoding")).env("GIT_PROTOCOL", header("git-protocol"));
    backend.env("CONTENT_LENGTH", body.len().to_string());
    let mut backend = backend.spawn().ok()?;
    backend.stdin.take()?.write_all(&body).ok()?;
    let printed = backend.wait_with_output().ok()?.stdout;
    let end = printed.windows(4).position(|bytes| bytes == b"\r\n\r\n")?;
    let (head, content) = (String::from_utf8_lossy(&printed[..end]).into_owned(), &printed[end + 4..]);
    let status = head.lines().find_map(|line| line.strip_prefix("Status: ")).unwrap_or("200 OK");
    let head = format!("HTTP/1.1 {status}\r\n{head}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", content.len());
    let is_pack = content.windows(4).any(|bytes| bytes == b"PACK");
    let half = &content[..content.len() / 2];
    stream.write_all(head.as_bytes()).ok()?;
    match mood {
        Mood::Cut if is_pack => stream.write_all(half).ok(),
        Mood::Stalled(part) if target.contains(part) && (is_pack || part != "git-upload-pack") => {
            stream.write_all(half).ok()?;
            // Until the other side goes away.
            stream.set_read_timeout(Some(Duration::from_secs(30))).ok()?;
            drop(stream.read(&mut [0; 1]));
            Some(())
        }
        _ => stream.write_all(content).ok(),
    }
}
