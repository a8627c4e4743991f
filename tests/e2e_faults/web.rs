//! Downloads that are cut, corrupted or never come.
use super::{apply, converges, on_a_machine, says};
use crate::support::packages::{sh, status};
use crate::support::place::Place;
use crate::support::repository::make;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What a server does with every request from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Whole,
    /// Hangs up after half of what it said it would send.
    Cut,
    /// The same, of an answer whose end is told in it.
    CutChunk,
    /// One byte is another.
    Corrupted,
    /// Says nothing.
    Silent,
    /// Says half of it, then nothing more.
    Stalls,
    /// A byte now and then, so that something is always coming.
    Drips,
}

/// Serves a file on the loopback.
struct Server {
    url: String,
    now: Arc<Mutex<Answer>>,
}

impl Server {
    fn of(file: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (now, content) = (Arc::new(Mutex::new(Answer::Whole)), fs::read(file).unwrap());
        let answer = now.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (answer, content) = (*answer.lock().unwrap(), content.clone());
                std::thread::spawn(move || drop(serve(stream, answer, content)));
            }
        });
        Self { url, now }
    }
}

fn serve(mut stream: TcpStream, answer: Answer, mut content: Vec<u8>) -> std::io::Result<()> {
    let asked = BufReader::new(stream.try_clone()?).lines();
    asked.map_while(Result::ok).take_while(|line| !line.is_empty()).for_each(drop);
    let middle = content.len() / 2;
    if answer == Answer::Silent {
        return until_it_hangs_up(stream);
    }
    if answer == Answer::CutChunk {
        write!(stream, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{middle:x}\r\n")?;
        return stream.write_all(&content[..middle]);
    }
    if answer == Answer::Corrupted {
        content[middle] ^= 1;
    }
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", content.len())?;
    match answer {
        Answer::Whole | Answer::Corrupted => stream.write_all(&content),
        Answer::Cut => stream.write_all(&content[..middle]),
        Answer::Drips => content.chunks(1).try_for_each(|byte| {
            std::thread::sleep(Duration::from_millis(50));
            stream.write_all(byte)
        }),
        _ => {
            stream.write_all(&content[..middle])?;
            until_it_hangs_up(stream)
        }
    }
}

fn until_it_hangs_up(mut stream: TcpStream) -> std::io::Result<()> {
    stream.read_to_end(&mut Vec::new()).map(drop)
}

#[test]
fn a_download_that_is_cut_corrupted_or_never_comes_leaves_what_was_there() {
    on_a_machine("web::a_download_that_is_cut_corrupted_or_never_comes_leaves_what_was_there", || {
        make("Package: tool\nVersion: 1\nArchitecture: all\n", &[]);
        let deb = "/srv/apt/repository/tool_1_all.deb";
        let (server, digest) = (Server::of(deb), sh(&format!("sha256sum {deb} | cut -d ' ' -f 1")));
        let recipe = |timeout: &str| {
            let url = &server.url;
            let digest = digest.trim();
            let from = format!("url = \"{url}/tool.deb\"\nsha256 = \"{digest}\"\ntimeout = \"{timeout}\"\n");
            format!(
                "name = \"web\"\n[[file]]\npath = \"/srv/there\"\n{from}[[file]]\npath = \"/srv/new\"\n{from}\
                 [[package]]\nname = \"tool\"\n{from}\
                 [[test]]\nname = \"answers\"\nhttp = {{ url = \"{url}/\" }}\ntimeout = \"{timeout}\"\n"
            )
        };
        let place = Place::new("");
        fs::write("/srv/there", "theirs\n").unwrap();
        let before = sh("ls -A /srv");
        for answer in [Answer::Cut, Answer::CutChunk, Answer::Corrupted, Answer::Silent, Answer::Stalls, Answer::Drips]
        {
            *server.now.lock().unwrap() = answer;
            let ends = matches!(answer, Answer::Cut | Answer::CutChunk | Answer::Corrupted);
            place.recipe(&recipe(if ends { "10m" } else { "1s" }));
            for id in ["file:/srv/there", "file:/srv/new", "package:tool", "test:answers"] {
                let ran = apply(&place, id);
                let (cause, remedy) = match answer {
                    // What it is of a page is not known.
                    Answer::Corrupted if id == "test:answers" => continue,
                    Answer::Corrupted => ("its sha256 is ", "`sha256`"),
                    Answer::Cut | Answer::CutChunk => ("the server hung up before all had come", "\nRun again; "),
                    _ => ("it had not all come after 1s", "raise `timeout`"),
                };
                says(&ran, cause, remedy);
                assert!(ran.stdout.contains(&format!("  fetching `{}/", server.url)), "{ran:#?}");
            }
            assert_eq!((sh("ls -A /srv"), sh("cat /srv/there")), (before.clone(), "theirs\n".to_owned()));
            assert_eq!(status("tool"), "");
        }
        *server.now.lock().unwrap() = Answer::Whole;
        place.recipe(&recipe("10m"));
        converges(&place);
    });
}
