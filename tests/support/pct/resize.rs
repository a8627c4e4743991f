//! `pct resize`: a disk grows, and its file system while it stands still.
use crate::conf::Conf;
use crate::disk::{bytes, shown};
use crate::lock::Says;
use crate::{Done, call, lock, pause, refuse, under, wrong};

pub fn resize(id: u32, arguments: &[String]) -> Done {
    let usage = call::usage("resize");
    let [disk, size] = arguments else { return refuse(2, format!("400 not enough arguments\n{usage}")) };
    let (grows, text) = size.strip_prefix('+').map_or((false, size.as_str()), |text| (true, text));
    let Some(asked) = bytes(text) else {
        return wrong(2, "size: value does not match the regex pattern\n", &usage);
    };
    Conf::read(id)?;
    let _locked = lock::lock(id, Says::Err)?;
    let mut conf = Conf::read(id)?;
    conf.refuse_locked()?;
    let Some(volume) = conf.now.get(disk).cloned() else {
        let missing = |name: &str| format!("\n{name}: property is missing and it is not optional");
        return refuse(255, format!("format error{}{}", missing("volume"), missing("mp")));
    };
    let head = volume.rsplit_once("size=").map_or(volume.as_str(), |(head, _)| head);
    let name = head.split([':', ',']).nth(1).unwrap_or_default();
    let path = format!("/var/lib/vz/images/{name}");
    // The disk counts, not what the file says of it.
    let is = std::fs::metadata(&path).map_or(0, |image| image.len());
    let to = if grows { is + asked } else { asked };
    if to < is {
        return refuse(255, "unable to shrink disk size");
    }
    if to == is {
        return refuse(255, "disk is already at specified size");
    }
    let image = std::fs::OpenOptions::new().write(true).open(&path).and_then(|image| image.set_len(to));
    if let Err(error) = image {
        return refuse(255, format!("growing {path} failed: {error}"));
    }
    println!("Image resized.");
    pause::here("resize");
    if !under::runs(id) {
        for argv in [["e2fsck", "-f", "-y", &path], ["resize2fs", "-f", "-p", &path]] {
            let argv: Vec<&str> =
                argv.into_iter().filter(|word| argv[0] == "e2fsck" || !word.starts_with('-')).collect();
            print!("{}", under::output(&argv).or_else(|why| refuse(255, why))?);
        }
    }
    conf.now.insert(disk.clone(), format!("{head}size={}", shown(to)));
    conf.write(id)
}
