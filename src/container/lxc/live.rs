//! Changes in a running container: limits, interfaces, mounts.
use super::config::Config;
use super::host::{Host, show_list};
use super::read::interfaces;
use super::{LXC_PATH, state};
use crate::container::{Found, Mount, Net, Set, Settings};
use crate::error::{Error, Result};
use crate::field::{Address, Size};
use crate::system::{Bind, Command, System};
use std::path::Path;
use std::time::Duration;

/// For what takes a moment.
const SHORT: Duration = Duration::from_secs(30);

/// A running container.
pub(super) struct Live<'a> {
    pub(super) sys: &'a dyn System,
    pub(super) id: u32,
    pub(super) host: &'a Host,
}

impl Live<'_> {
    /// Limits memory, and swap beyond it.
    pub(super) fn memory(&self, memory: Option<Size>, swap: Option<Size>) -> Result<()> {
        let limits = self.host.limits;
        let of = |size: Option<Size>| size.map_or_else(|| "-1".to_owned(), |size| size.0.to_string());
        if !self.host.swap {
            return self.limit(limits.memory, &of(memory));
        }
        if !limits.swap_is_total {
            self.limit(limits.memory, &of(memory).replace("-1", "max"))?;
            return self.limit(limits.swap, &of(swap).replace("-1", "max"));
        }
        let total = memory.zip(swap).map(|(memory, swap)| Size(memory.0.saturating_add(swap.0)));
        // Memory is never above the total: going up the total moves first, going down the memory does.
        if self.limit(limits.swap, &of(total)).is_ok() {
            return self.limit(limits.memory, &of(memory));
        }
        self.limit(limits.memory, &of(memory))?;
        self.limit(limits.swap, &of(total))
    }

    /// Gives it other processors.
    pub(super) fn cores(&self, cores: u32) -> Result<()> {
        self.limit(self.host.limits.cpus, &show_list(&self.host.cpus_for(self.id, cores)))
    }

    fn limit(&self, name: &str, value: &str) -> Result<()> {
        self.run(["lxc-cgroup", "-P", LXC_PATH, "-n", &self.id.to_string(), name, value])
    }

    /// Mounts something of the host in it, where nothing is mounted yet.
    pub(super) fn mount(&self, mount: &Mount) -> Result<()> {
        let attempt = || format!("mounting `{}` at `{}` in container {}", mount.source, mount.target, self.id);
        let Some(pid) = state::first_process(self.sys, self.id)? else {
            return Err(Error::new(attempt()).reason("its first process can't be found"));
        };
        if state::mounted(self.sys, pid)?.is_some_and(|mounted| mounted.contains(&mount.target)) {
            return Ok(());
        }
        let (source, target) = (Path::new(&mount.source), Path::new(&mount.target));
        self.sys.bind_into(&Bind { pid, source, target, read_only: mount.read_only }).map_err(|e| e.during(attempt()))
    }

    /// Ties a new interface to it.
    pub(super) fn add_net(&self, net: &Net, host_side: &str) -> Result<()> {
        if matches!(self.sys.lstat(Path::new("/sys/class/net").join(host_side).as_path()), Ok(Some(_))) {
            // A run that was cut off left it.
            self.run(["ip", "link", "del", "dev", host_side])?;
        }
        let Some(pid) = state::first_process(self.sys, self.id)? else {
            return Err(Error::new(format!("adding {} to container {}", net.name, self.id))
                .reason("its first process can't be found"));
        };
        let pid = pid.to_string();
        self.run(["ip", "link", "add", "name", host_side, "type", "veth", "peer", "name", &net.name, "netns", &pid])?;
        self.change_net(&Net { name: net.name.clone(), ..Net::default() }, net, host_side)?;
        self.run(["ip", "link", "set", "dev", host_side, "up"])
    }

    /// Changes an interface that it has.
    pub(super) fn change_net(&self, is: &Net, net: &Net, host_side: &str) -> Result<()> {
        let name = net.name.as_str();
        if let Some(bridge) = net.bridge.as_ref().filter(|bridge| Some(*bridge) != is.bridge.as_ref()) {
            self.run(["ip", "link", "set", "dev", host_side, "master", bridge])?;
        }
        if let Some(mtu) = net.mtu.filter(|mtu| Some(*mtu) != is.mtu) {
            let mtu = mtu.to_string();
            self.run(["ip", "link", "set", "dev", host_side, "mtu", &mtu])?;
            self.ip(&["link", "set", "dev", name, "mtu", &mtu])?;
        }
        if let Some(mac) = net.mac.as_ref().filter(|mac| Some(*mac) != is.mac.as_ref()) {
            self.ip(&["link", "set", "dev", name, "address", mac])?;
        }
        self.ip(&["link", "set", "dev", name, "up"])?;
        self.address(is, net)?;
        match net.gateway {
            Some(gateway) => self.ip(&["route", "replace", "default", "via", &gateway.to_string(), "dev", name]),
            None => Ok(()),
        }
    }

    fn address(&self, is: &Net, net: &Net) -> Result<()> {
        let Some(Address::Fixed(asked)) = net.address else { return Ok(()) };
        if let Some(Address::Fixed(old)) = is.address
            && old != asked
        {
            // First: the kernel takes second addresses of a network along with its first one.
            self.ip(&["address", "del", &old.to_string(), "dev", &net.name]).or_else(|error| {
                // A run that was cut off did that already.
                let address = asked.to_string();
                self.ip(&["address", "replace", &address, "dev", &net.name]).map_err(|_| error)
            })?;
        }
        self.ip(&["address", "replace", &asked.to_string(), "dev", &net.name])
    }

    /// Runs the host's `ip` on the container's network.
    fn ip(&self, arguments: &[&str]) -> Result<()> {
        let id = self.id.to_string();
        let attach = ["lxc-attach", "-P", LXC_PATH, "-n", &id, "-s", "NETWORK", "--clear-env", "--", "ip"];
        self.run(attach.into_iter().chain(arguments.iter().copied()))
    }

    fn run<'s>(&self, argv: impl IntoIterator<Item = &'s str>) -> Result<()> {
        let command = Command::new(argv).timeout(SHORT);
        self.sys.run(&command)?.success(&command).map(drop)
    }
}

/// Returns the host's end of an interface, where it is known.
pub(super) fn host_side<'c>(config: &'c Config, name: &str) -> Option<&'c str> {
    let (n, _) = interfaces(config).into_iter().find(|(_, found)| found == name)?;
    config.get(&format!("lxc.net.{n}.veth.pair"))
}

/// Makes a setting so in a running container; `config` has it written down already.
pub(super) fn make_live(live: &Live<'_>, set: &Set, found: &Found, after: &Settings, config: &Config) -> Result<()> {
    match set {
        Set::Memory(_) | Set::Swap(_) => live.memory(after.memory, after.swap),
        Set::Cores(cores) => live.cores(*cores),
        Set::Mount(mount) => live.mount(mount),
        Set::Net(net) => {
            let nameless = || {
                Error::new(format!("adding {} to a running container", net.name))
                    .reason("the name of its end on the host would be too long")
            };
            let side = host_side(config, &net.name).ok_or_else(nameless)?;
            match found.settings.nets.iter().find(|is| is.name == net.name) {
                Some(is) => live.change_net(is, net, side),
                None => live.add_net(net, side),
            }
        }
        _ => Ok(()),
    }
}
