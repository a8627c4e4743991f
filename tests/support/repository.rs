//! An apt repository of this machine's own (tests/lab/apt-repository.sh), and an HTTP server for it on the loopback.
use provision::system::{Command, Real, System as _};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What makes it.
pub const MAKE: &str = include_str!("../lab/apt-repository.sh");
/// The packages that it is made of.
pub const PACKAGES: &str = "/srv/apt/Packages";

/// Makes the repository anew; `settings` are those of the script.
pub fn make(packages: &str, settings: &[(&str, &str)]) {
    std::fs::create_dir_all("/srv/apt").unwrap();
    std::fs::write(PACKAGES, packages).unwrap();
    let mut command = Command::new(["sh"]).stdin(MAKE);
    for (name, value) in settings {
        command = command.env(*name, *value);
    }
    let made = Real::default().run(&command).unwrap();
    assert_eq!(made.code, 0, "{}{}", made.text(), String::from_utf8_lossy(&made.stderr));
}

/// Serves the repository, as long as this process lives.
pub struct Server {
    /// `http://127.0.0.1:PORT`.
    pub url: String,
    is_down: Arc<AtomicBool>,
}

impl Server {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let is_down = Arc::new(AtomicBool::new(false));
        let down = is_down.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // Down: it hangs up at once.
                if !down.load(Ordering::Relaxed) {
                    std::thread::spawn(|| drop(answer(stream)));
                }
            }
        });
        Self { url, is_down }
    }

    pub fn down(&self, is_down: bool) {
        self.is_down.store(is_down, Ordering::Relaxed);
    }
}

/// Answers requests until the other end hangs up: apt asks for several files at once.
fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    loop {
        let (mut line, mut path) = (String::new(), None);
        while reader.read_line(&mut line)? > 0 && line != "\r\n" {
            path = path.or_else(|| line.strip_prefix("GET ")?.split(' ').next().map(str::to_owned));
            line.clear();
        }
        let Some(path) = path else { return Ok(()) };
        let file = Path::new("/srv/apt/repository").join(path.trim_start_matches(['.', '/']));
        let (status, body) = match std::fs::read(file) {
            Ok(body) => ("200 OK", body),
            Err(_) => ("404 Not Found", Vec::new()),
        };
        write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n", body.len())?;
        stream.write_all(&body)?;
    }
}
