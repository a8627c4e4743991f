//! This very machine, for tests that run in a disposable one: plan, apply and destroy, with the claims as the ledger keeps
//! them; and its programs, killed at a system call.
use super::book;
use super::contract::pass;
use super::recorder::Recorder;
use provision::engine::Mode;
use provision::item::{Item, JobItem};
use provision::resource::Known;
use provision::system::{Command, Real, System};
use serde_json::Value;
use std::path::Path;

pub struct Here {
    pub sys: Real,
    pub known: Known,
}

pub fn item(kind: &str, fields: &Value) -> Item {
    Item::receive(JobItem { digest: fields.to_string(), ..super::item::job(kind, fields.clone()) }).unwrap()
}

impl Here {
    pub fn new() -> Self {
        let known = Known { key: "test".to_owned(), ..Known::default() };
        Self { sys: Real::new("/var/lib/provision"), known }
    }

    fn go(&mut self, mode: Mode, items: &[Item], destroy: bool) -> Vec<String> {
        let sink = Recorder::default();
        self.sys.facts().forget();
        let act = super::act::Act {
            what: String::new(),
            items: items.iter().map(again).collect(),
            destroy,
            by: &[],
            allowed: None,
            changes: None,
            applied: None,
            ends: None,
            after: &[],
        };
        let tally = pass(&act, mode, &self.known, &self.sys, &sink).unwrap();
        if mode == Mode::Apply {
            book::take_in(&mut self.known, sink.events());
            book::take_in_tally(&mut self.known, &tally);
        }
        sink.changes().into_iter().chain(sink.ends()).collect()
    }

    /// Returns changes, ends but in sync, and remarks.
    pub fn plan(&mut self, items: &[Item]) -> Vec<String> {
        self.go(Mode::Plan, items, false)
    }

    pub fn apply(&mut self, items: &[Item]) -> Vec<String> {
        self.go(Mode::Apply, items, false)
    }

    pub fn destroy(&mut self, items: &[Item]) -> Vec<String> {
        self.go(Mode::Apply, items, true)
    }

    /// What a destroy would do.
    pub fn plan_to_destroy(&mut self, items: &[Item]) -> Vec<String> {
        self.go(Mode::Plan, items, true)
    }

    /// Plan and apply say the same, and a second apply changes nothing.
    pub fn converges(&mut self, items: &[Item], expected: &[&str]) {
        assert_eq!(self.plan(items), expected, "the plan");
        assert_eq!(self.apply(items), expected, "the apply");
        self.in_sync(items);
    }

    /// Nothing differs.
    pub fn in_sync(&mut self, items: &[Item]) {
        let said = self.apply(items);
        assert!(said.iter().all(|line| line.contains(" remark: ") || line.contains(" waiting: ")), "{said:#?}");
    }

    /// Runs a shell script; it must succeed.
    pub fn sh(&self, script: &str) -> String {
        let command = Command::new(["sh", "-ec", script]);
        let output = self.sys.run(&command).unwrap();
        let text = output.text();
        output.success(&command).unwrap_or_else(|error| panic!("{script}\n{error}: {:?}", error.output));
        text.trim_end().to_owned()
    }

    /// From now on a program is started through a script of ours, which has it killed where `kill_at` says.
    pub fn may_be_killed(&self, program: &str) {
        let real = self.sh(&format!("PATH=/usr/sbin:/usr/bin:/sbin:/bin command -v {program}"));
        let script = format!(
            "#!/bin/sh\nread -r name call count </run/kill-at || exec {real} \"$@\"\n\
             [ \"$name\" = {program} ] || exec {real} \"$@\"\n: >/run/kill-at\n\
             exec strace -f -qq -o /run/kill-trace -e trace=\"$call\" -e inject=\"$call:signal=KILL:when=$count\" {real} \"$@\"\n"
        );
        std::fs::write(Path::new("/usr/local/sbin").join(program), script).unwrap();
        self.sh(&format!("chmod 0755 /usr/local/sbin/{program}; : >/run/kill-at"));
    }

    /// Kills a program at each system call of these kinds: each time the world is made anew by `begin`, converged until
    /// the kill, then again to its end, and looked at. Returns how often it was killed.
    pub fn killed_at_each(
        &mut self,
        (program, calls): (&str, &[&str]),
        begin: &dyn Fn(&mut Self),
        go: &dyn Fn(&mut Self) -> Vec<String>,
        look: &dyn Fn(&mut Self),
    ) -> usize {
        let mut kills = 0;
        for call in calls {
            for count in 1.. {
                self.sh(": >/run/kill-at");
                begin(self);
                std::fs::write("/run/kill-at", format!("{program} {call} {count}\n")).unwrap();
                let said = go(self);
                assert_eq!(self.sh("cat /run/kill-at"), "", "{program} was not started: {said:#?}");
                if !self.sh("cat /run/kill-trace").contains("killed by SIGKILL") {
                    break;
                }
                kills += 1;
                let again = go(self);
                let at = format!("{program} killed at {call} {count}: {said:#?}");
                assert!(again.iter().all(|line| !line.contains(" failed: ")), "{at}, then {again:#?}");
                let third = go(self);
                let is_change = |line: &&String| line.contains(" -> ");
                assert_eq!(third.iter().find(is_change), None, "{at}, then {again:#?}");
                look(self);
            }
        }
        self.sh(": >/run/kill-at");
        kills
    }
}

fn again(item: &Item) -> Item {
    Item::receive(JobItem { want: item.job.want, ..item.job.clone() }).unwrap()
}
