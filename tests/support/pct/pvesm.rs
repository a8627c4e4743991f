//! `pvesm`: what storages there are, what is in them, where it is.
use crate::options::take;
use crate::{Done, refuse, under};
use std::fs;
use std::os::unix::fs::MetadataExt as _;

pub struct Storage {
    pub name: String,
    pub kind: String,
    pub path: String,
    pub content: Vec<String>,
}

/// Returns the storages of the cluster's file.
pub fn storages() -> Vec<Storage> {
    let mut storages: Vec<Storage> = Vec::new();
    for line in fs::read_to_string("/etc/pve/storage.cfg").unwrap_or_default().lines() {
        match (line.starts_with([' ', '\t']), line.trim().split_once(char::is_whitespace), storages.last_mut()) {
            (false, Some((kind, name)), _) => storages.push(Storage {
                name: name.trim().to_owned(),
                kind: kind.trim_end_matches(':').to_owned(),
                path: String::new(),
                content: Vec::new(),
            }),
            (true, Some(("path", path)), Some(last)) => path.trim().clone_into(&mut last.path),
            (true, Some(("content", kinds)), Some(last)) => {
                last.content = kinds.split(',').map(str::to_owned).collect();
            }
            _ => {}
        }
    }
    storages
}

/// Returns the storage of that name, or refuses.
pub fn storage(name: &str) -> Result<Storage, crate::Refusal> {
    let found = storages().into_iter().find(|storage| storage.name == name);
    found.map_or_else(|| refuse(255, format!("storage '{name}' does not exist")), Ok)
}

pub fn call(arguments: &[String]) -> Done {
    let mut rest = arguments.to_vec();
    let content = take(&mut rest, "--content");
    let content = content.as_deref();
    match rest.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["status"] => status(content),
        ["list", name] => {
            list(&storage(name)?, content);
            Ok(())
        }
        ["path", volume] => {
            let (name, rest) = volume.split_once(':').unwrap_or_default();
            println!("{}", path(&storage(name)?, rest));
            Ok(())
        }
        _ => refuse(255, format!("the stand-in has no `pvesm {}`", arguments.join(" "))),
    }
}

/// Returns where a volume of a directory storage is.
fn path(storage: &Storage, volume: &str) -> String {
    match volume.strip_prefix("vztmpl/") {
        Some(name) => format!("{}/template/cache/{name}", storage.path),
        None => format!("{}/images/{volume}", storage.path),
    }
}

fn status(content: Option<&str>) -> Done {
    let held = |storage: &Storage| content.is_none_or(|content| storage.content.iter().any(|held| held == content));
    let storages: Vec<Storage> = storages().into_iter().filter(held).collect();
    let width = storages.iter().map(|storage| storage.name.len()).max().unwrap_or(0).max(5) + 1;
    println!(
        "{:<width$} {:>10} {:>10} {:>15} {:>15} {:>15} {:>8}",
        "Name", "Type", "Status", "Total", "Used", "Available", "%"
    );
    for storage in storages {
        let df = ["df", "-k", "--output=size,used,avail", &storage.path];
        // One that can't be reached is in the table all the same.
        let is_there = fs::metadata(&storage.path).is_ok();
        let df = if is_there { under::output(&df).or_else(|why| refuse(255, why))? } else { String::new() };
        let numbers: Vec<u64> = df.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        let (status, [total, used, free]) = match numbers[..] {
            [total, used, free] => ("active", [total, used, free]),
            _ => ("inactive", [0; 3]),
        };
        let parts = used * 10_000 / total.max(1);
        let percent = format!("{}.{:02}%", parts / 100, parts % 100);
        println!(
            "{:<width$} {:>10} {status:>10} {total:>15} {used:>15} {free:>15} {percent:>8}",
            storage.name, storage.kind
        );
    }
    Ok(())
}

/// What is in a storage: its name, what it is, how it is kept, its size and whose it is.
pub struct Volume {
    pub name: String,
    pub content: &'static str,
    pub format: String,
    pub size: u64,
    pub owner: Option<u32>,
}

pub fn volumes(storage: &Storage) -> Vec<Volume> {
    let mut volumes = Vec::new();
    let size = |path: &str| fs::metadata(path).map_or(0, |stat| stat.size());
    for id in names(&format!("{}/images", storage.path)) {
        for name in names(&format!("{}/images/{id}", storage.path)) {
            volumes.push(Volume {
                size: size(&format!("{}/images/{id}/{name}", storage.path)),
                name: format!("{}:{id}/{name}", storage.name),
                content: if crate::conf::path(id.parse().unwrap_or(0)).exists() { "rootdir" } else { "images" },
                format: name.rsplit('.').next().unwrap_or_default().to_owned(),
                owner: id.parse().ok(),
            });
        }
    }
    for name in names(&format!("{}/template/cache", storage.path)) {
        let format = format!("t{}", name.rsplit('.').next().unwrap_or_default());
        volumes.push(Volume {
            size: size(&format!("{}/template/cache/{name}", storage.path)),
            name: format!("{}:vztmpl/{name}", storage.name),
            content: "vztmpl",
            format,
            owner: None,
        });
    }
    volumes
}

fn names(directory: &str) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn list(storage: &Storage, content: Option<&str>) {
    let volumes = volumes(storage).into_iter().filter(|volume| content.is_none_or(|content| volume.content == content));
    let volumes: Vec<Volume> = volumes.collect();
    let name = volumes.iter().map(|volume| volume.name.len()).max().unwrap_or(0);
    let size = volumes.iter().map(|volume| volume.size.to_string().len()).max().unwrap_or(0);
    println!("{:<name$} {:<7} {:<9} {:>size$} VMID", "Volid", "Format", "Type", "Size");
    for volume in volumes {
        let owner = volume.owner.map(|id| format!(" {id}")).unwrap_or_default();
        println!("{:<name$} {:<7} {:<9} {:>size$}{owner}", volume.name, volume.format, volume.content, volume.size);
    }
}
