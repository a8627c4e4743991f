//! `pct set` and `pct resize`: what is live, what is written at once and what waits for the container to stop.
use crate::conf::Conf;
use crate::create::shown;
use crate::options::{Options, number_of, parse};
use crate::{Done, Refusal, lock, refuse, under, wrong};

const USAGE: &str = "set <vmid> [OPTIONS]";
/// Waits for the container to stop.
const LATER: [&str; 9] =
    ["features", "nameserver", "searchdomain", "arch", "tty", "console", "cmode", "timezone", "rootfs"];

pub fn set(id: u32, arguments: &[String]) -> Done {
    let mut options = parse(arguments, USAGE)?;
    if options.is_empty() {
        return refuse(2, "no options specified");
    }
    Conf::read(id)?;
    let locked = lock::lock(id)?;
    let mut conf = Conf::read(id)?;
    if let Some(value) = options.remove("lock") {
        conf.now.insert("lock".to_owned(), value);
        return conf.write(id);
    }
    conf.refuse_locked()?;
    if options.contains_key("unprivileged") {
        return refuse(255, "unable to modify read-only option: 'unprivileged'");
    }
    let running = under::runs(id);
    revert(&mut conf, &mut options);
    delete(&mut conf, &mut options, running)?;
    let mut problems = String::new();
    for (key, value) in options {
        if let Err(problem) = change(id, &mut conf, &key, value, running) {
            problems.push_str(&problem);
        }
    }
    if !problems.is_empty() {
        // Nothing is written; what was changed live stays so.
        return wrong(1, &problems, USAGE);
    }
    if !running {
        conf.settle();
    }
    conf.write(id)?;
    drop(locked);
    Ok(())
}

fn change(id: u32, conf: &mut Conf, key: &str, value: String, running: bool) -> Result<(), String> {
    if key == "description" {
        conf.description = Some(format!("{}\n", value.trim_end_matches('\n')));
        return Ok(());
    }
    let is_new = !conf.now.contains_key(key);
    if !running || (LATER.contains(&key) || (number_of(key, "mp").is_some() && !is_new)) {
        conf.going.remove(key);
        if conf.now.get(key) == Some(&value) {
            conf.pending.remove(key);
        } else {
            conf.pending.insert(key.to_owned(), value);
        }
        return Ok(());
    }
    match (number_of(key, "net"), number_of(key, "mp")) {
        (Some(n), _) if conf.now.get(key) != Some(&value) => under::set_net(id, n, &value)?,
        (_, Some(_)) => under::add_mount(id, key, &value)?,
        _ if key == "memory" => under::set_memory(id, &value)?,
        _ => {}
    }
    conf.now.insert(key.to_owned(), value);
    Ok(())
}

fn revert(conf: &mut Conf, options: &mut Options) {
    for key in options.remove("revert").unwrap_or_default().split([',', ' ']) {
        conf.pending.remove(key);
        conf.going.remove(key);
    }
}

fn delete(conf: &mut Conf, options: &mut Options, running: bool) -> Result<(), Refusal> {
    for key in options.remove("delete").unwrap_or_default().split([',', ' ']).filter(|key| !key.is_empty()) {
        match key {
            "memory" | "rootfs" | "ostype" => return refuse(255, format!("unable to delete required option '{key}'")),
            "unprivileged" => return refuse(255, "unable to delete read-only option: 'unprivileged'"),
            "description" => conf.description = None,
            _ if !conf.now.contains_key(key) => eprintln!("cannot delete '{key}' - not set in current configuration!"),
            _ if running && (LATER.contains(&key) || number_of(key, "mp").is_some()) => {
                _ = conf.going.insert(key.to_owned());
            }
            _ => drop(conf.now.remove(key)),
        }
    }
    Ok(())
}

pub fn resize(id: u32, arguments: &[String]) -> Done {
    let usage = "resize <vmid> <disk> <size> [OPTIONS]";
    let [disk, size] = arguments else { return refuse(2, format!("400 not enough arguments\npct {usage}")) };
    let (grows, text) = size.strip_prefix('+').map_or((false, size.as_str()), |text| (true, text));
    let Some(bytes) = parse_size(text) else {
        return wrong(2, "size: value does not match the regex pattern", usage);
    };
    let mut conf = Conf::read(id)?;
    let _locked = lock::lock(id)?;
    conf.refuse_locked()?;
    let Some(volume) = conf.now.get(disk).cloned() else {
        return refuse(
            255,
            "format error\nvolume: property is missing and it is not optional\nmp: property is missing and it is not optional\n",
        );
    };
    let (head, is) = volume.rsplit_once("size=").unwrap_or((&volume, "0"));
    let is = parse_size(is).unwrap_or(0);
    let to = if grows { is + bytes } else { bytes };
    if to < is {
        return refuse(255, "unable to shrink disk size");
    }
    if to == is {
        return refuse(255, "disk is already at specified size");
    }
    println!("Image resized.");
    conf.now.insert(disk.clone(), format!("{head}size={}", shown(to)));
    conf.write(id)
}

fn parse_size(text: &str) -> Option<u64> {
    let (number, shift) = match text.chars().last()? {
        'K' => (&text[..text.len() - 1], 10),
        'M' => (&text[..text.len() - 1], 20),
        'G' => (&text[..text.len() - 1], 30),
        'T' => (&text[..text.len() - 1], 40),
        _ => (text, 0),
    };
    number.parse::<u64>().ok().map(|number| number << shift)
}
