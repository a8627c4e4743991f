//! `pct set`: what is live, what is written at once and what waits for the container to stop.
use crate::conf::{Conf, path};
use crate::lock::Says;
use crate::options::{Options, is_known, number_of, parse};
use crate::{Done, Refusal, call, disk, lock, pause, pvesh, refuse, under, wrong};

/// Waits for the container to stop.
const LATER: [&str; 9] =
    ["features", "nameserver", "searchdomain", "arch", "tty", "console", "cmode", "timezone", "rootfs"];

pub fn set(id: u32, arguments: &[String]) -> Done {
    let usage = call::usage("set");
    let mut options = parse(arguments, &usage)?;
    let digest = options.remove("digest");
    if options.is_empty() {
        return refuse(2, "no options specified");
    }
    Conf::read(id)?;
    for key in words(options.get("delete")) {
        if !is_known(key) {
            return wrong(255, &format!("delete: unknown option '{key}'\n"), &usage);
        }
        if options.contains_key(key) {
            let why = format!("delete: you can't use '-{key}' and -delete {key}' at the same time\n");
            return wrong(255, &why, &usage);
        }
    }
    let locked = lock::lock(id, Says::Err)?;
    let mut conf = Conf::read(id)?;
    if let Some(digest) = digest.filter(|digest| *digest != pvesh::digest(&path(id))) {
        let _: String = digest;
        return refuse(255, "detected modified configuration - file changed by other user? Try again.");
    }
    conf.refuse_locked()?;
    if let Some(value) = options.remove("lock") {
        conf.now.insert("lock".to_owned(), value);
        return conf.write(id);
    }
    if options.contains_key("unprivileged") {
        return refuse(255, "unable to modify read-only option: 'unprivileged'");
    }
    let running = under::runs(id);
    revert(&mut conf, &mut options);
    delete(id, &mut conf, &mut options, running)?;
    let mut problems = String::new();
    let mut code = 0;
    for (key, value) in options {
        if let Err(Refusal(errno, problem)) = change(id, &mut conf, &key, value, running) {
            problems.push_str(&problem);
            code = errno;
        }
    }
    if !problems.is_empty() {
        // Nothing is written; what was changed live stays so.
        return wrong(code, &problems, &usage);
    }
    pause::here("set");
    if !running {
        conf.settle();
    }
    conf.write(id)?;
    drop(locked);
    Ok(())
}

fn change(id: u32, conf: &mut Conf, key: &str, value: String, running: bool) -> Done {
    if key == "description" {
        conf.description =
            Some(value.trim_end_matches('\n')).filter(|text| !text.is_empty()).map(|text| format!("{text}\n"));
        return Ok(());
    }
    let failed = |why: String| Refusal(255, format!("{key}: {why}\n"));
    let is_mount = number_of(key, "mp").is_some();
    // A disk is made each time that a size is named. Not so for `rootfs`: that is how one breaks a container.
    let value = if is_mount { disk::made(id, &value).map_err(failed)? } else { value };
    let is_new = !conf.now.contains_key(key);
    if !running || LATER.contains(&key) || (is_mount && !is_new) {
        conf.going.remove(key);
        if conf.now.get(key) == Some(&value) {
            conf.pending.remove(key);
        } else {
            conf.pending.insert(key.to_owned(), value);
        }
        return Ok(());
    }
    match number_of(key, "net") {
        Some(n) if conf.now.get(key) != Some(&value) => under::set_net(id, n, conf.now.get(key), &value)?,
        _ if is_mount => under::add_mount(id, key, &value)?,
        _ if key == "memory" => under::set_memory(id, &value).map_err(failed)?,
        _ => {}
    }
    conf.now.insert(key.to_owned(), value);
    Ok(())
}

fn words(list: Option<&String>) -> impl Iterator<Item = &str> {
    list.map(String::as_str).unwrap_or_default().split([',', ' ', ';']).filter(|word| !word.is_empty())
}

fn revert(conf: &mut Conf, options: &mut Options) {
    for key in words(options.remove("revert").as_ref()) {
        conf.pending.remove(key);
        conf.going.remove(key);
    }
}

fn delete(id: u32, conf: &mut Conf, options: &mut Options, running: bool) -> Done {
    for key in words(options.remove("delete").as_ref()) {
        match key {
            "memory" | "rootfs" | "ostype" => return refuse(255, format!("unable to delete required option '{key}'")),
            "unprivileged" => return refuse(255, "unable to delete read-only option: 'unprivileged'"),
            "description" => conf.description = None,
            _ if !conf.now.contains_key(key) && !conf.pending.contains_key(key) => {
                eprintln!("cannot delete '{key}' - not set in current configuration!");
            }
            _ if running && (LATER.contains(&key) || number_of(key, "mp").is_some()) => {
                conf.pending.remove(key);
                conf.going.insert(key.to_owned());
            }
            _ => {
                if running && let Some(n) = number_of(key, "net") {
                    under::remove_net(id, n).or_else(|why| refuse(255, why))?;
                }
                conf.remove(key);
            }
        }
    }
    Ok(())
}
