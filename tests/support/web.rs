//! HTTP servers on the loopback: for cases on a disposable machine, where each name that a case uses leads there, and for
//! tests that ask one of their own.
use super::case::Case;
use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// By URL: the status and the body.
type Pages = BTreeMap<String, (u16, Vec<u8>)>;

/// Serves what the `web` of these cases says, as long as this process lives.
pub fn serve(cases: &[Case]) {
    let pages = cases.iter().flat_map(|case| case.web.clone()).filter(|(url, _)| url.starts_with("http://"));
    let pages: Pages = pages.map(|(url, body)| (url, (200, body.into_bytes()))).collect();
    let mut hosts = OpenOptions::new().append(true).open("/etc/hosts").expect("root may write it");
    let mut names: Vec<&str> = pages.keys().filter_map(|url| url.split('/').nth(2)).collect();
    names.dedup();
    for name in names {
        writeln!(hosts, "127.0.0.1 {name}").expect("there is space");
    }
    let listener = TcpListener::bind("127.0.0.1:80").expect("the port is free");
    answer_all(listener, pages, false);
}

/// Serves these paths, each with its status and body, as long as this process lives, and returns the beginning of their URLs.
pub fn on_loopback(pages: &[(&str, u16, Vec<u8>)]) -> String {
    listen(pages, false)
}

/// Does the same, but is not well when it is first asked.
pub fn on_loopback_failing_first(pages: &[(&str, u16, Vec<u8>)]) -> String {
    listen(pages, true)
}

fn listen(pages: &[(&str, u16, Vec<u8>)], fails: bool) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a port");
    let base = format!("http://{}", listener.local_addr().expect("it is bound"));
    let pages = pages.iter().map(|(path, status, body)| (format!("{base}{path}"), (*status, body.clone()))).collect();
    answer_all(listener, pages, fails);
    base
}

fn answer_all(listener: TcpListener, pages: Pages, fails: bool) {
    let (pages, fails) = (Arc::new(pages), Arc::new(AtomicBool::new(fails)));
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (pages, fails) = (pages.clone(), fails.clone());
            std::thread::spawn(move || drop(answer(stream, &pages, &fails)));
        }
    });
}

fn answer(mut stream: TcpStream, pages: &Pages, fails: &AtomicBool) -> std::io::Result<()> {
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
        _ if fails.swap(false, Ordering::Relaxed) => (503, &b"not now"[..]),
        Some((status, body)) => (*status, body.as_slice()),
        None => (404, &b"no such page"[..]),
    };
    write!(stream, "HTTP/1.1 {status} .\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len())?;
    stream.write_all(body)
}
