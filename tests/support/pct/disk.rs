//! Disks on a directory storage: an image for each volume, with a file system of its size.
use crate::conf::Conf;
use crate::options::pairs;
use crate::under;
use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::Path;

/// Returns the size that `STORAGE:SIZE` asks for, in GiB with a fraction; `None` where it names a volume that is there.
pub fn asked(volume: &str) -> Option<u64> {
    let (_, size) = volume.split_once(':').filter(|_| !volume.starts_with('/'))?;
    let (whole, fraction) = size.split_once('.').unwrap_or((size, "0"));
    let whole = whole.parse::<u64>().ok()?;
    let tenths = fraction.get(..1)?.parse::<u64>().ok()?;
    Some(((whole << 10) + (tenths << 10) / 10) << 20)
}

/// Makes a volume and returns its name: an image, or a directory where it has no size.
pub fn allocate(id: u32, bytes: u64) -> Result<String, String> {
    let images = format!("/var/lib/vz/images/{id}");
    let text = |error: std::io::Error| error.to_string();
    fs::DirBuilder::new().recursive(true).mode(0o740).create(&images).map_err(text)?;
    let is_free = |n: &u32| !Path::new(&format!("{images}/vm-{id}-disk-{n}.raw")).exists();
    let number = (0..10_000).find(is_free).expect("there are many");
    if bytes == 0 {
        let name = format!("subvol-{id}-disk-{number}.subvol");
        fs::create_dir(format!("{images}/{name}")).map_err(text)?;
        return Ok(format!("local:{id}/{name}"));
    }
    let name = format!("vm-{id}-disk-{number}.raw");
    let path = format!("{images}/{name}");
    println!("Formatting '{path}', fmt=raw size={bytes} preallocation=off");
    let image = fs::File::create(&path).map_err(text)?;
    image.set_len(bytes).map_err(text)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).map_err(text)?;
    let output = under::output(&["mkfs.ext4", "-O", "mmp", "-F", &path])?;
    for line in output.lines() {
        let kept =
            ["Creating filesystem", "Filesystem UUID", "Superblock backups"].iter().any(|it| line.starts_with(it));
        if kept || line.starts_with('\t') {
            println!("{line}");
        }
    }
    Ok(format!("local:{id}/{name}"))
}

/// Makes the volume that the value of a mount point or of `rootfs` asks for, and returns the value with it.
pub fn made(id: u32, value: &str) -> Result<String, String> {
    let parts = pairs(value, "volume");
    let volume = parts.iter().find(|(key, _)| key == "volume").map(|(_, volume)| volume.clone()).unwrap_or_default();
    let Some(bytes) = asked(&volume) else { return Ok(value.to_owned()) };
    let name = allocate(id, bytes)?;
    let part = |(key, value): &(String, String)| match key.as_str() {
        "volume" => name.clone(),
        _ => format!("{key}={value}"),
    };
    let mut parts: Vec<String> = parts.iter().filter(|(key, _)| key != "size").map(part).collect();
    parts.push(format!("size={}", shown(bytes)));
    Ok(parts.join(","))
}

/// Keeps the volume of a mount point that goes, as one that is unused.
pub fn keep(conf: &mut Conf, value: &str) {
    let volume = value.split(',').next().unwrap_or_default();
    if volume.starts_with('/') || !volume.contains(':') {
        return;
    }
    let free = (0..256).map(|n: u32| format!("unused{n}")).find(|key| !conf.now.contains_key(key));
    conf.now.extend(free.map(|key| (key, volume.to_owned())));
}

/// Returns a size as it is written down.
pub fn shown(bytes: u64) -> String {
    if bytes == 0 {
        return "0T".to_owned();
    }
    for (shift, unit) in [(30, 'G'), (20, 'M'), (10, 'K')] {
        if bytes.trailing_zeros() >= shift {
            return format!("{}{unit}", bytes >> shift);
        }
    }
    bytes.to_string()
}

/// Returns the bytes of a size that is written down.
pub fn bytes(text: &str) -> Option<u64> {
    let (number, shift) = match text.chars().last()? {
        'K' => (&text[..text.len() - 1], 10),
        'M' => (&text[..text.len() - 1], 20),
        'G' => (&text[..text.len() - 1], 30),
        'T' => (&text[..text.len() - 1], 40),
        _ => (text, 0),
    };
    number.parse::<u64>().ok().map(|number| number << shift)
}
