//! What HTTP servers answer in cases, on the loopback of a disposable machine: each name that a case uses leads there.
use super::case::Case;
use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

/// Serves what the `web` of these cases says, as long as this process lives.
pub fn serve(cases: &[Case]) {
    let pages = cases.iter().flat_map(|case| case.web.clone()).filter(|(url, _)| url.starts_with("http://"));
    let pages: Arc<BTreeMap<String, String>> = Arc::new(pages.collect());
    let mut hosts = OpenOptions::new().append(true).open("/etc/hosts").expect("root may write it");
    let mut names: Vec<&str> = pages.keys().filter_map(|url| url.split('/').nth(2)).collect();
    names.dedup();
    for name in names {
        writeln!(hosts, "127.0.0.1 {name}").expect("there is space");
    }
    let listener = TcpListener::bind("127.0.0.1:80").expect("the port is free");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let pages = pages.clone();
            std::thread::spawn(move || drop(answer(stream, &pages)));
        }
    });
}

fn answer(mut stream: TcpStream, pages: &BTreeMap<String, String>) -> std::io::Result<()> {
    let (mut path, mut host) = (String::new(), String::new());
    for line in BufReader::new(stream.try_clone()?).lines() {
        let line = line?;
        match line.split_once(' ') {
            Some(("GET", rest)) => rest.split(' ').next().unwrap_or("/").clone_into(&mut path),
            Some((header, value)) if header.eq_ignore_ascii_case("host:") => value.clone_into(&mut host),
            _ if line.is_empty() => break,
            _ => {}
        }
    }
    let (status, body) = match pages.get(&format!("http://{host}{path}")) {
        Some(body) => ("200 OK", body.as_str()),
        None => ("404 Not Found", "no such page"),
    };
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
}
