//! What is asked of a container: its file, what is pending, how it is.
use crate::conf::Conf;
use crate::options::pairs;
use crate::{Done, under};

pub fn config(id: u32, rest: &[String]) -> Done {
    let conf = Conf::read(id)?;
    let active = rest.iter().any(|option| option == "--current");
    print!("{}", conf.shown(!active));
    Ok(())
}

pub fn pending(id: u32) -> Done {
    let conf = Conf::read(id)?;
    for (key, now, next, gone) in conf.each() {
        match now {
            Some(value) if gone => println!("del {key}: {value}"),
            Some(value) => println!("cur {key}: {value}"),
            None => {}
        }
        if let Some(value) = next {
            println!("new {key}: {value}");
        }
    }
    Ok(())
}

pub fn state(id: u32) -> &'static str {
    if under::runs(id) { "running" } else { "stopped" }
}

pub fn status(id: u32, rest: &[String]) -> Done {
    let conf = Conf::read(id)?;
    if rest.is_empty() {
        println!("status: {}", state(id));
        return Ok(());
    }
    // Nobody counts what one that runs has used.
    let get = |key: &str, default: &str| conf.now.get(key).cloned().unwrap_or_else(|| default.to_owned());
    let mebibytes = |key: &str| get(key, "512").parse::<u64>().unwrap_or(0) << 20;
    let rootfs = pairs(&get("rootfs", ""), "volume");
    let size = rootfs.iter().find(|(key, _)| key == "size").and_then(|(_, size)| crate::disk::bytes(size)).unwrap_or(0);
    println!("cpus: {}\ndisk: 0\ndiskread: 0\ndiskwrite: 0\nmaxdisk: {size}", get("cores", "1"));
    println!("maxmem: {}\nmaxswap: {}\nmem: 0", mebibytes("memory"), mebibytes("swap"));
    println!("name: {}\nnetin: 0\nnetout: 0\nstatus: {}\nswap: 0", get("hostname", ""), state(id));
    if let Some(tags) = conf.now.get("tags") {
        println!("tags: {tags}");
    }
    println!("type: lxc\nuptime: 0\nvmid: {id}");
    Ok(())
}

pub fn snapshots(id: u32) -> Done {
    Conf::read(id)?;
    println!("`-> current                                             You are here!");
    Ok(())
}
