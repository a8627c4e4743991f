//! `pvesh`: the tree of all that there is, as JSON.
use crate::conf::{Conf, DIRECTORY, node, path};
use crate::pvesm::{storages, volumes};
use crate::{Done, Refusal, refuse, set, under};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::Path;

/// Those that are numbers there.
const NUMBERS: [&str; 9] = ["console", "cores", "cpuunits", "debug", "memory", "onboot", "protection", "swap", "tty"];

/// Returns the digest of a file.
pub fn digest(path: &Path) -> String {
    let sum = under::output(&["sha1sum", &path.to_string_lossy()]).unwrap_or_default();
    sum.split(' ').next().unwrap_or_default().to_owned()
}

pub fn call(arguments: &[String]) -> Done {
    let Some([verb, at]) = arguments.get(..2) else { return refuse(255, "not enough arguments") };
    let at = at.replace("/nodes/localhost/", &format!("/nodes/{}/", node()));
    let parts: Vec<&str> = at.trim_matches('/').split('/').collect();
    let id = |text: &str| text.parse::<u32>().or_else(|_| refuse(255, format!("no such resource '{at}'")));
    let here = node();
    match (verb.as_str(), &parts[..]) {
        ("set", ["nodes", _, "lxc", number, "config"]) => return set::set(id(number)?, &arguments[2..]),
        ("get", ["cluster", "nextid"]) => println!("{}", next_id()),
        ("get", ["storage"]) => println!("{}", all_storages()),
        ("get", ["version"]) => println!("{}", json!({"release": "8.4", "repoid": "2606ac85", "version": "8.4.21"})),
        ("get", ["cluster", "resources"]) => println!("{}", resources(&here)),
        ("get", ["nodes", _, "lxc", number, "config"]) => println!("{}", config(id(number)?)?),
        ("get", ["nodes", _, "lxc", number, "pending"]) => println!("{}", pending(id(number)?)?),
        ("get", ["nodes", _, "storage", name, "content"]) => println!("{}", content(name)?),
        _ => return refuse(255, format!("the stand-in has no `pvesh {}`", arguments.join(" "))),
    }
    Ok(())
}

fn ids() -> Vec<u32> {
    let names = std::fs::read_dir(DIRECTORY).into_iter().flatten().flatten();
    names.filter_map(|entry| entry.file_name().to_str()?.strip_suffix(".conf")?.parse().ok()).collect()
}

fn next_id() -> u32 {
    let taken = ids();
    let machine = |id: &u32| Path::new(&format!("/etc/pve/qemu-server/{id}.conf")).exists();
    (100..1_000_000).find(|id| !taken.contains(id) && !machine(id)).expect("there are many")
}

/// Nobody gathers how they are.
fn resources(node: &str) -> Value {
    let one =
        |id: u32| json!({"id": format!("lxc/{id}"), "node": node, "status": "unknown", "type": "lxc", "vmid": id});
    ids().into_iter().map(one).collect()
}

fn all_storages() -> Value {
    let sum = digest(Path::new("/etc/pve/storage.cfg"));
    let one = |storage: crate::pvesm::Storage| {
        let content = storage.content.join(",");
        json!({"content": content, "digest": sum, "path": storage.path, "storage": storage.name, "type": storage.kind})
    };
    storages().into_iter().map(one).collect()
}

fn content(name: &str) -> Result<Value, Refusal> {
    let storage = crate::pvesm::storage(name)?;
    let one = |volume: crate::pvesm::Volume| match volume.owner {
        Some(id) => json!({"content": volume.content, "format": volume.format, "parent": null, "size": volume.size,
            "vmid": id, "volid": volume.name}),
        None => json!({"content": volume.content, "format": volume.format, "size": volume.size, "volid": volume.name}),
    };
    Ok(volumes(&storage).into_iter().map(one).collect())
}

fn value(key: &str, text: &str) -> Value {
    let number = text.parse::<u64>().ok().filter(|_| NUMBERS.contains(&key) || key == "unprivileged");
    number.map_or_else(|| Value::from(text), Value::from)
}

fn config(id: u32) -> Result<Value, Refusal> {
    let conf = Conf::read(id)?;
    let mut keys: BTreeMap<&str, Value> = BTreeMap::new();
    for (key, now, next, gone) in conf.each() {
        if let Some(text) = next.or(now).filter(|_| !gone) {
            keys.insert(key, value(key, text));
        }
    }
    if let Some(text) = &conf.description {
        keys.insert("description", Value::from(text.as_str()));
    }
    keys.insert("digest", Value::from(digest(&path(id))));
    Ok(keys.into_iter().map(|(key, value)| (key.to_owned(), value)).collect::<Map<_, _>>().into())
}

fn pending(id: u32) -> Result<Value, Refusal> {
    let conf = Conf::read(id)?;
    let mut list = vec![json!({"key": "digest", "value": digest(&path(id))})];
    for (key, now, next, gone) in conf.each() {
        let mut one = Map::new();
        if gone {
            one.insert("delete".to_owned(), Value::from(1));
        }
        one.insert("key".to_owned(), Value::from(key.as_str()));
        for (name, text) in [("pending", next), ("value", now)] {
            one.extend(text.map(|text| (name.to_owned(), value(key, text))));
        }
        list.push(one.into());
    }
    Ok(list.into())
}
