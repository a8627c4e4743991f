//! Packages on this very machine, a disposable one: applies, and what dpkg then says.
use super::contract::{apply, run};
use super::item::job;
use super::recorder::Recorder;
use super::repository::make;
use provision::engine::Mode;
use provision::event::Event;
use provision::item::{Item, JobItem};
use provision::resource::{Known, Want};
use provision::system::{Command, Real, System as _};
use serde_json::Value;
use std::time::Duration;

/// This machine, and what a ledger would know.
pub struct World {
    pub sys: Real,
    pub known: Known,
}

/// What came of an apply.
#[derive(Debug)]
pub struct Ran {
    pub changes: Vec<String>,
    pub ends: Vec<String>,
    pub said: Vec<String>,
}

impl World {
    pub fn with(packages: &str) -> Self {
        // Tries that can't help only take time; a machine may have turned the other off.
        let settings = "Acquire { Retries \"0\"; Check-Date \"true\"; Check-Valid-Until \"true\"; };\n";
        std::fs::write("/etc/apt/apt.conf.d/zz-test", settings).unwrap();
        make(packages, &[]);
        Self { sys: Real::new("/var/lib/provision"), known: Known::default() }
    }

    pub fn item(fields: Value, want: Want) -> Item {
        Item::receive(JobItem { want, timeout: Duration::from_secs(4), ..job("package", fields) }).unwrap()
    }

    pub fn apply(&mut self, fields: Value) -> Ran {
        self.of(&Self::item(fields, Want::Present))
    }

    pub fn absent(&mut self, fields: Value) -> Ran {
        self.of(&Self::item(fields, Want::Absent))
    }

    fn of(&mut self, item: &Item) -> Ran {
        self.sys.facts().forget();
        Ran::of(&apply(std::slice::from_ref(item), &mut self.known, &self.sys).unwrap())
    }

    pub fn plan(&self, fields: Value) -> Vec<String> {
        self.sys.facts().forget();
        run(&[Self::item(fields, Want::Present)], Mode::Plan, &self.known, &self.sys).unwrap().changes()
    }

    /// Applies what must then be in sync.
    #[track_caller]
    pub fn holds(&mut self, fields: Value, changes: &[&str]) {
        let ran = self.apply(fields.clone());
        assert_eq!(
            (ran.changes.as_slice(), ran.ends.as_slice()),
            (&changes.iter().map(|c| (*c).to_owned()).collect::<Vec<_>>()[..], &[][..])
        );
        let again = self.apply(fields);
        assert!(again.changes.is_empty() && again.ends.is_empty(), "{again:?}");
    }

    /// Applies what must fail, for these reasons.
    #[track_caller]
    pub fn fails(&mut self, fields: Value, reasons: &[&str]) -> Ran {
        let ran = self.apply(fields);
        let ends = ran.ends.join("\n");
        assert!(ends.contains(" failed: "), "{ran:#?}");
        assert!(reasons.iter().all(|reason| ends.contains(reason)), "{reasons:?} {ran:#?}");
        ran
    }
}

impl Ran {
    fn of(recorder: &Recorder) -> Self {
        let said = |event| if let Event::Said { text, .. } = event { Some(text) } else { None };
        let said = recorder.events().into_iter().filter_map(said).collect();
        Self { changes: recorder.changes(), ends: recorder.ends(), said }
    }
}

#[track_caller]
pub fn sh(script: &str) -> String {
    let output = Real::default().run(&Command::new(["sh", "-ec", script])).unwrap();
    assert_eq!(output.code, 0, "{script}\n{}\n{}", output.text(), String::from_utf8_lossy(&output.stderr));
    output.text()
}

pub fn status(name: &str) -> String {
    sh(&format!("dpkg-query -W -f '${{Version}} ${{Status}}' {name} || true"))
}

/// What dpkg knows of nothing half done.
#[track_caller]
pub fn is_whole() {
    assert_eq!(sh("dpkg --audit; ls /var/lib/dpkg/updates | grep '^[0-9]' || true"), "");
    assert_eq!(sh("ls /var/lib/provision/downloads 2>/dev/null || true"), "", "no download stays");
}
