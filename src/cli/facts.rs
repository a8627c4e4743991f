//! What a recipe may know of the host: `host.hostname`, `arch`, `cores`, `memory`, `os`, `driver`.
use crate::container::driver;
use crate::recipe::HostFacts;
use crate::system::System;
use std::path::Path;

/// Reads the host's facts.
pub(super) fn read(sys: &dyn System) -> HostFacts {
    let text = |path: &str| {
        sys.read(Path::new(path)).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    };
    let hostname = nix::unistd::gethostname().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let release = text("/etc/os-release");
    let os = [field(&release, "ID="), field(&release, "VERSION_ID=")].map(|value| value.trim_matches('"')).join("-");
    let kibibytes: u64 = field(&text("/proc/meminfo"), "MemTotal:").trim().trim_end_matches(" kB").parse().unwrap_or(0);
    HostFacts {
        hostname,
        arch: std::env::consts::ARCH.to_owned(),
        cores: std::thread::available_parallelism().map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(u32::MAX)),
        memory: kibibytes * 1024,
        os,
        driver: driver(sys).map_or_else(|_| String::new(), |driver| driver.name().to_owned()),
    }
}

fn field<'t>(text: &'t str, key: &str) -> &'t str {
    text.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default()
}
