//! A container that somebody made with LXC's own tools, taken over.
use super::Done;
use super::bench::{Bench, same};
use provision::system::{Command, System};
use std::fs;

/// Goes with all that is in it.
struct Made<'b, 'l> {
    bench: &'b Bench<'l>,
    id: String,
}

impl Drop for Made<'_, '_> {
    fn drop(&mut self) {
        for argv in [vec!["lxc-stop", "-k", "-n", &self.id], vec!["lxc-destroy", "-n", &self.id]] {
            let _gone = self.bench.sys.run(&Command::new(argv));
        }
    }
}

impl Made<'_, '_> {
    /// Returns the exit code of `provision` and what it printed.
    fn provision(&self, arguments: &[&str]) -> (i32, String) {
        let dir = |name: &str| self.bench.dir.path().join(name).display().to_string();
        let (state, run) = (dir("state"), dir("run"));
        let fixed = [env!("CARGO_BIN_EXE_provision"), "--state-dir", &state, "--run-dir", &run];
        let output = self.bench.sys.run(&Command::new(fixed.iter().chain(arguments).copied())).unwrap();
        (output.code, output.text() + &String::from_utf8_lossy(&output.stderr))
    }

    fn says(&self, arguments: &[&str], code: i32, words: &str) -> Done {
        let said = self.provision(arguments);
        let is_so = said.0 == code && said.1.contains(words);
        if is_so { Ok(()) } else { Err(format!("`{}`: {} {}", arguments.join(" "), said.0, said.1)) }
    }
}

pub fn one_of_lxc_create_is_imported(bench: &mut Bench<'_>) -> Done {
    let made = Made { id: (bench.lab.id + 1000).to_string(), bench };
    let (bridge, net, dir) = (bench.lab.bridge, bench.lab.net, bench.dir.path());
    let conf = dir.join("hand.conf");
    let text = format!(
        "lxc.include = /usr/share/lxc/config/userns.conf\nlxc.idmap = u 0 100000 65536\nlxc.idmap = g 0 100000 65536\n\
         lxc.net.0.type = veth\nlxc.net.0.link = {bridge}\nlxc.net.0.flags = up\nlxc.net.0.ipv4.address = {net}.77/24\n\
         lxc.mount.entry = {}/shared mnt/shared none bind,create=dir 0 0\n\
         lxc.mount.entry = /nowhere mnt/nowhere none bind,optional,create=dir 0 0\nlxc.start.auto = 1\n",
        dir.display()
    );
    fs::write(&conf, text).map_err(|error| error.to_string())?;
    let conf = conf.display().to_string();
    bench.host(&["lxc-create", "-n", &made.id, "-f", &conf, "-t", "busybox"])?;
    let config = format!("/var/lib/lxc/{}/config", made.id);
    let look = || (fs::read_to_string(&config).unwrap(), fs::metadata(&config).unwrap().modified().unwrap());
    let recipe = dir.join("hand.toml").display().to_string();
    for running in [false, true] {
        if running {
            bench.host(&["lxc-start", "-n", &made.id])?;
            bench.host(&["lxc-wait", "-n", &made.id, "-s", "RUNNING", "-t", "30"])?;
        }
        let before = look();
        let _another = fs::remove_file(&recipe);
        made.says(&["import", &made.id, "--into", &recipe], 0, "takes it over")?;
        let plan = if running { (0, "0 to change, 1 in sync") } else { (3, "0 to change, 0 in sync, 1 waiting") };
        made.says(&["plan", &recipe], plan.0, plan.1)?;
        made.says(&["apply", &recipe, "--yes", "--adopt", &made.id], 0, "0 changed, 1 in sync")?;
        made.says(&["plan", &recipe, "--check"], 0, "0 to change, 1 in sync")?;
        if look() != before {
            return Err(format!("its configuration was touched:\n{}", look().0));
        }
    }
    let answer = bench.host(&["lxc-attach", "-n", &made.id, "--", "/bin/cat", "/mnt/shared/mark"])?;
    same("what it mounts", &answer, "here")
}
