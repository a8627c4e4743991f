//! An npm registry on loopback: packuments as JSON, tarballs made by the test, and answers that do not come on demand.
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A registry, empty at first.
pub struct Registry {
    /// `http://127.0.0.1:PORT`.
    pub url: String,
    shelf: Arc<Mutex<Shelf>>,
}

#[derive(Default)]
struct Shelf {
    packuments: BTreeMap<String, Value>,
    tarballs: BTreeMap<String, Vec<u8>>,
    /// Half of a tarball whose path holds this is sent, and nothing more.
    stalled: Option<&'static str>,
}

impl Registry {
    pub fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shelf: Arc<Mutex<Shelf>> = Arc::default();
        let shared = shelf.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shelf = shared.clone();
                std::thread::spawn(move || answer(stream, &shelf));
            }
        });
        Self { url, shelf }
    }

    /// Publishes a version with what its `package.json` says besides, and its files; it is the latest from now on.
    pub fn publish(&self, name: &str, version: &str, besides: Value, files: &[(&str, &str)]) {
        let mut manifest = json!({ "name": name, "version": version });
        manifest.as_object_mut().unwrap().extend(besides.as_object().unwrap().clone());
        let directory = tempfile::tempdir().unwrap();
        let package = directory.path().join("package");
        std::fs::create_dir(&package).unwrap();
        std::fs::write(package.join("package.json"), manifest.to_string()).unwrap();
        for (file, content) in files {
            std::fs::write(package.join(file), content).unwrap();
        }
        let path = format!("{name}/-/{}-{version}.tgz", name.rsplit('/').next().unwrap());
        let mut kept = self.shelf.lock().unwrap();
        kept.tarballs.insert(path.clone(), packed(directory.path()));
        manifest["dist"] = json!({ "tarball": format!("{}/{path}", self.url) });
        if manifest["scripts"]["postinstall"].is_string() {
            manifest["hasInstallScript"] = json!(true);
        }
        let none = json!({ "name": name, "versions": {} });
        let packument = kept.packuments.entry(name.to_owned()).or_insert(none);
        packument["versions"][version] = manifest;
        packument["dist-tags"] = json!({ "latest": version });
    }

    /// From now on half of such tarballs is sent, and nothing more; all of them, with `None`.
    pub fn stall(&self, part: Option<&'static str>) {
        self.shelf.lock().unwrap().stalled = part;
    }
}

fn packed(directory: &Path) -> Vec<u8> {
    let tar = Command::new("tar").args(["-cz", "package"]).current_dir(directory).output().unwrap();
    assert!(tar.status.success());
    tar.stdout
}

fn answer(mut stream: TcpStream, shelf: &Mutex<Shelf>) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut request = String::new();
    reader.read_line(&mut request).ok()?;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        if header.trim_end().is_empty() {
            break;
        }
    }
    let path = request.split(' ').nth(1)?.trim_start_matches('/').replace("%2f", "/");
    let (found, stalls) = {
        let shelf = shelf.lock().unwrap();
        let latest = path.strip_suffix("/latest").and_then(|name| {
            let packument = shelf.packuments.get(name)?;
            Some(packument["versions"][packument["dist-tags"]["latest"].as_str()?].clone())
        });
        let json = latest.or_else(|| shelf.packuments.get(&path).cloned()).map(|json| json.to_string().into_bytes());
        let stalls = shelf.stalled.is_some_and(|part| path.contains(part)) && shelf.tarballs.contains_key(&path);
        (json.or_else(|| shelf.tarballs.get(&path).cloned()), stalls)
    };
    let status = if found.is_some() { "200 OK" } else { "404 Not Found" };
    let body = found.unwrap_or_else(|| b"{\"error\":\"not found\"}".to_vec());
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len()).ok()?;
    if stalls {
        stream.write_all(&body[..body.len() / 2]).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(20))).ok()?;
        // Until the other side goes away.
        drop(stream.read(&mut [0; 1]));
        return Some(());
    }
    stream.write_all(&body).ok()
}
