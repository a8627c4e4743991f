//! `pveam`: the templates of a storage, and those that could be downloaded: none, as no list of them was ever fetched.
use crate::pvesm::{storage, volumes};
use crate::{Done, refuse, wrong};

pub fn call(arguments: &[String]) -> Done {
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["available", ..] => {
            no_lists();
            Ok(())
        }
        ["list", name] => {
            let storage = storage(name)?;
            println!("{:<60} {:<6}", "NAME", "SIZE");
            for volume in volumes(&storage).into_iter().filter(|volume| volume.content == "vztmpl") {
                let hundredths = volume.size * 100 / (1 << 20);
                println!("{:<60} {}.{:02}MB", volume.name, hundredths / 100, hundredths % 100);
            }
            Ok(())
        }
        ["download", name, _] => {
            storage(name)?;
            no_lists();
            wrong(2, "template: no such template\n", "pveam download <storage> <template>")
        }
        _ => refuse(255, format!("the stand-in has no `pveam {}`", arguments.join(" "))),
    }
}

fn no_lists() {
    for name in ["download.proxmox.com", "releases.turnkeylinux.org"] {
        let path = format!("/var/lib/pve-manager/apl-info/{name}");
        eprintln!("unable to open file '{path}' - No such file or directory");
    }
}
