//! A container of the tests on real LXC, and what is asked of it.
use super::{Done, Lab};
use crate::support::contract::{apply, run};
use crate::support::watched::Watched;
use provision::container::{Driver, driver};
use provision::engine::Mode;
use provision::id::Machine;
use provision::item::{Item, JobItem};
use provision::resource::{Known, Want};
use provision::system::{Command, System};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;

pub struct Bench<'l> {
    pub lab: &'l Lab<'l>,
    pub sys: Watched,
    pub driver: &'static dyn Driver,
    pub known: Known,
    pub fields: Value,
    pub dir: tempfile::TempDir,
}

impl Drop for Bench<'_> {
    fn drop(&mut self) {
        // Without the minute that a shutdown may take.
        let id = self.lab.id.to_string();
        let _gone = self.sys.run(&Command::new(["lxc-stop", "-P", "/var/lib/lxc", "-n", &id, "-k"]));
        let _gone = self.driver.destroy(&self.sys, self.lab.id);
        let _gone = self.sys.run(&Command::new(["ip", "link", "del", "dev", self.lab.bridge]));
    }
}

impl<'l> Bench<'l> {
    pub fn new(lab: &'l Lab<'l>) -> Result<Self, String> {
        let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
        // Root of the container must get through to what it mounts.
        std::fs::set_permissions(dir.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        std::fs::create_dir(dir.path().join("shared")).unwrap();
        std::os::unix::fs::chown(dir.path().join("shared"), Some(100_000), Some(100_000)).unwrap();
        std::fs::create_dir(dir.path().join("more")).unwrap();
        std::fs::write(dir.path().join("shared/mark"), "here\n").unwrap();
        std::fs::write(dir.path().join("one-file"), "alone\n").unwrap();
        let sys = Watched::new(dir.path());
        let Lab { id, bridge, net, template } = lab;
        let driver = driver(&sys).map_err(|error| format!("{error:?}"))?;
        let fields = json!({
            "id": id, "hostname": "first", "template": template, "cores": 1, "memory": "256MiB", "disk": "4GiB",
            "network": [{ "bridge": bridge, "address": format!("{net}.{}/24", 10), "gateway": format!("{net}.1") }],
            "features": { "nesting": true, "keyctl": true },
            "mounts": [
                { "source": dir.path().join("shared"), "target": "/mnt/shared" },
                { "source": dir.path().join("one-file"), "target": "/etc/one-file", "read-only": true },
            ],
            "nameserver": ["9.9.9.9"], "searchdomain": "lab.example", "tags": ["Lab"], "description": "two\nlines",
        });
        let known = Known { key: "test".to_owned(), ..Known::default() };
        let bench = Self { lab, sys, driver, known, fields, dir };
        for argv in [
            vec!["ip", "link", "add", bridge, "type", "bridge"],
            vec!["ip", "address", "add", &format!("{net}.1/24"), "dev", bridge],
            vec!["ip", "link", "set", bridge, "up"],
        ] {
            bench.host(&argv)?;
        }
        Ok(bench)
    }

    pub fn item(&self, want: Want) -> Vec<Item> {
        let job = JobItem {
            machine: Machine::Host,
            kind: "container".to_owned(),
            fields: self.fields.clone(),
            phase: None,
            gate: None,
            want,
            timeout: Duration::from_mins(5),
            retries: 0,
            source: None,
            secret: std::collections::BTreeSet::new(),
            unknown: std::collections::BTreeSet::new(),
            digest: self.fields.to_string(),
            place: String::new(),
        };
        vec![Item::receive(job).expect("the fields are right")]
    }

    pub fn host(&self, argv: &[&str]) -> Result<String, String> {
        let command = Command::new(argv.iter().copied());
        let output = self.sys.run(&command).and_then(|output| output.success(&command));
        output.map(|output| output.text().trim().to_owned()).map_err(|error| format!("{error:?}"))
    }

    pub fn inside(&self, script: &str) -> Result<String, String> {
        let argv = self.driver.attach(self.lab.id, &["sh", "-c", script].map(str::to_owned));
        self.host(&argv.iter().map(String::as_str).collect::<Vec<_>>())
    }

    pub fn says(&self, script: &str, expected: &str) -> Done {
        let found = self.inside(script)?;
        same(&format!("`{script}` inside"), &found, expected)
    }

    pub fn ready(&self) -> Done {
        self.driver.ready(&self.sys, self.lab.id, Duration::from_mins(1)).map_err(|error| format!("{error:?}"))
    }

    /// Plans, applies, and sees the same changes and ends in both; then nothing is left to do.
    pub fn converge(&mut self, changes: &[&str], ends: &[&str]) -> Done {
        self.converge_to(Want::Present, changes, ends)
    }

    pub fn converge_to(&mut self, want: Want, changes: &[&str], ends: &[&str]) -> Done {
        let items = self.item(want);
        self.sys.facts().forget();
        let planned = run(&items, Mode::Plan, &self.known, &self.sys)?;
        let cut = |lines: Vec<String>| {
            lines
                .join("\n")
                .replace(&format!("container:{} ", self.lab.id), "")
                .replace(&format!("container:{}", self.lab.id), "")
        };
        same("the plan's ends", &cut(planned.ends()), &ends.join("\n"))?;
        same("the plan", &cut(planned.changes()), &changes.join("\n"))?;
        let applied = apply(&items, &mut self.known, &self.sys)?;
        same("the apply's ends", &cut(applied.ends()), &ends.join("\n"))?;
        same("the apply", &cut(applied.changes()), &changes.join("\n"))?;
        let again = run(&items, Mode::Plan, &self.known, &self.sys)?;
        same("the plan after it", &cut(again.changes()), "")
    }

    pub fn config(&self) -> PathBuf {
        PathBuf::from(format!("/var/lib/lxc/{}/config", self.lab.id))
    }

    pub fn edit_config(&self, from: &str, to: &str) -> Done {
        let text = std::fs::read_to_string(self.config()).map_err(|error| error.to_string())?;
        if !text.contains(from) {
            return Err(format!("the configuration has no `{from}`:\n{text}"));
        }
        std::fs::write(self.config(), text.replace(from, to)).map_err(|error| error.to_string())
    }

    pub fn set(&mut self, field: &str, value: Value) {
        self.fields[field] = value;
    }
}

pub fn same(what: &str, found: &str, expected: &str) -> Done {
    if found == expected {
        return Ok(());
    }
    Err(format!("{what} is\n{found}\ninstead of\n{expected}"))
}
