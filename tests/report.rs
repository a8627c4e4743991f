//! What a run says, to the letter.
use crate::support::run::{Paper, finished, id, look, make, start};
use provision::engine::Tally;
use provision::error::Error;
use provision::event::{Counts, Envelope, Event, Label, Outcome, Sink};
use provision::hub::{Hub, Lane};
use provision::report::{Checklist, Json, Lines, Style};
use provision::resource::{Change, Remark};
use std::collections::BTreeSet;
use std::io::{self, Write};
use std::sync::Arc;

const MEMBERS: [(u32, &str); 3] = [(201, "lilly"), (202, "mike"), (203, "clara")];

fn lines(command: &str) -> (Arc<Hub>, Paper) {
    let paper = Paper::default();
    (look(command, Box::new(Lines::new(paper.clone(), Style::plain(), "web.toml"))), paper)
}

fn planned(of: &str, label: Label, changes: &[Change]) -> Event {
    Event::Planned { id: id(of), label, changes: changes.to_vec(), opaque: false, phase: None }
}

fn waiting(of: &str, because: &str, remedy: &str) -> Event {
    finished(&id(of), Outcome::Waiting { because: because.into(), remedy: Some(remedy.into()) })
}

fn made(of: &str, to: &str) -> Event {
    planned(of, Label::New, &[Change::made(&id(of).name, to)])
}

fn side_by_side(hub: &Arc<Hub>, work: impl Fn(&Lane, u32, &str)) {
    for (number, role) in MEMBERS {
        let lane = hub.lane(Some(&format!("CT{number}")));
        lane.emit(Event::LaneStarted).unwrap();
        work(&lane, number, role);
        lane.emit(Event::LaneEnded { seconds: 0.1, stopped: None }).unwrap();
    }
}

/// Returns what was written, after a first empty line, without the last one.
fn body(paper: &Paper) -> String {
    let text = paper.text();
    let mut lines: Vec<&str> = text.lines().collect();
    lines.pop();
    format!("\n{}\n", lines.join("\n"))
}

#[test]
fn a_plan_says_once_what_is_alike_in_several_lanes() {
    let (hub, paper) = lines("plan");
    hub.emit(made("directory:/srv/signals", "root:root 2770")).unwrap();
    let content = Change::field("/etc/exports", "content", Some("12 B".into()), Some("30 B".into()));
    let diff = Some("@@ -1 +1,2 @@\n /srv a\n+/srv b\n".to_owned());
    hub.emit(planned("file:/etc/exports", Label::Edit, &[content.diff(diff)])).unwrap();
    side_by_side(&hub, |lane, number, role| {
        let inbox = format!("directory:/srv/signals/{role}_inbox");
        lane.emit(made(&inbox, &format!("{}:101200 3770", 101_000 + number))).unwrap();
        lane.emit(made(&format!("container:{number}"), &format!("{role}, 2 cores, 4 GiB"))).unwrap();
        let container = id(&format!("container:{number}"));
        let package = Change::made("git", "").after(Some(container));
        lane.emit(planned(&format!("{number}/package:git"), Label::New, &[package])).unwrap();
        let user = Change::made(role, format!("uid {}", 1000 + number));
        lane.emit(planned(&format!("{number}/user:{role}"), Label::New, &[user])).unwrap();
        let unit = [
            Change::field("max-agent@claude.service", "enabled", Some("disabled".into()), Some("enabled".into())),
            Change::field("max-agent@claude.service", "active", Some("inactive".into()), Some("active".into())),
        ];
        let after = id(&format!("{number}/package:git"));
        let unit = unit.map(|change| change.after(Some(after.clone())));
        lane.emit(planned(&format!("{number}/unit:max-agent@claude.service"), Label::New, &unit)).unwrap();
        if number == 202 {
            let shell = Change::field("mike", "shell", Some("/bin/sh".into()), Some("/bin/bash".into()));
            lane.emit(planned("202/user:backup", Label::Drift, &[shell])).unwrap();
        }
        let gate = format!("{number}/gate:claude");
        lane.emit(waiting(&gate, "not done yet", &format!("provision enter {number}; su - {role}; claude login")))
            .unwrap();
        let ids = vec![id(&format!("{number}/group:signals")), id(&format!("{number}/file:/home/{role}/AGENT.md"))];
        lane.emit(Event::Behind { after, ids }).unwrap();
    });
    side_by_side(&hub, |lane, number, _| lane.emit(made(&format!("{number}/command:signal"), "")).unwrap());
    let tally: Tally = Counts { changed: 21, in_sync: 9, waiting: 3, due: 3, ..Counts::default() }.into();
    hub.end(0, &tally).unwrap();
    assert_eq!(body(&paper), EXPECTED_PLAN);
    assert!(
        paper.text().ends_with(
            "planned: 21 to change (19 new, 1 edit, 1 drift), 9 in sync, 3 waiting, 0 failed, 3 tests due in 20.5 s · head \
             0000000000000000\n"
        ),
        "{}",
        paper.text()
    );
}

const EXPECTED_PLAN: &str = "
web from web.toml
host
  + host/directory:/srv/signals  made: root:root 2770  (new)
  ~ host/file:/etc/exports  content: 12 B → 30 B  (edit)
      @@ -1 +1,2 @@
       /srv a
      +/srv b
CT201–CT203
  + host/directory:/srv/signals/{lilly,mike,clara}_inbox  made: {101201..101203}:101200 3770  (new)
  + host/container:{201..203}  made: {lilly,mike,clara}, 2 cores, 4 GiB  (new)
  + {201..203}/package:git  made  after host/container:{201..203}  (new)
  + {201..203}/user:{lilly,mike,clara}  made: uid {1201..1203}  (new)
  ~ {201..203}/unit:max-agent@claude.service  after package:git  (new)
      enabled: disabled → enabled
      active: inactive → active
  ! {201..203}/gate:claude  not done yet
      provision enter {201..203}; su - {lilly,mike,clara}; claude login
  ? checked again after {201..203}/package:git:
      group:signals, file:/home/{lilly,mike,clara}/AGENT.md
CT202
  ~ 202/user:backup  shell: /bin/sh → /bin/bash  (drift)
CT201–CT203
  + {201..203}/command:signal  made  (new)
";

#[test]
fn a_run_that_changes_nothing_prints_three_lines_at_most() {
    let (hub, paper) = lines("apply");
    side_by_side(&hub, |lane, number, role| {
        lane.emit(Event::Checking { ids: vec![id(&format!("{number}/package:git"))] }).unwrap();
        lane.emit(waiting(&format!("{number}/gate:claude"), "not done yet", &format!("su - {role}; claude login")))
            .unwrap();
        lane.emit(waiting(&format!("gate:m365-{role}"), "not acknowledged", "provision ack")).unwrap();
        let remark = Remark { name: "x".into(), text: "kept: not empty".into() };
        lane.emit(Event::Remark { id: id(&format!("{number}/directory:/x")), remark }).unwrap();
    });
    hub.end(3, &Counts { in_sync: 292, waiting: 6, ..Counts::default() }.into()).unwrap();
    let expected = "
web from web.toml
waiting: {201..203}/gate:claude, host/gate:m365-{lilly,… · `provision plan web.toml` says what to do
applied: 0 changed, 292 in sync, 6 waiting, 0 failed in 10.0 s · head 0000000000000000
";
    assert_eq!(format!("\n{}", paper.text()), expected);
}

#[test]
fn an_apply_shows_its_plan_then_a_line_for_each_change_then_failures_and_the_sums() {
    let (dir, paper) = (tempfile::tempdir().unwrap(), Paper::default());
    let hub =
        start(&dir.path().join("state"), "apply", Box::new(Lines::new(paper.clone(), Style::plain(), "web.toml")));
    hub.emit(made("directory:/srv", "root:root 0755")).unwrap();
    side_by_side(&hub, |lane, number, _| lane.emit(made(&format!("{number}/package:git"), "")).unwrap());
    hub.emit(Event::PlanEnded).unwrap();
    make(&*hub, "directory:/srv");
    side_by_side(&hub, |lane, number, _| {
        let of = id(&format!("{number}/package:git"));
        if number == 202 {
            let error = Error::new("running `apt-get install git`")
                .reason("exit 100")
                .output("E: Unable to locate package git\n")
                .remedy("run `apt-get update` there, then run `provision apply web.toml` again");
            lane.emit(Event::Checking { ids: vec![of.clone()] }).unwrap();
            lane.emit(finished(&of, Outcome::Failed { error })).unwrap();
            for later in ["user:mike", "file:/x"] {
                let because = "202/package:git failed".to_owned();
                lane.emit(finished(&id(&format!("202/{later}")), Outcome::Skipped { because })).unwrap();
            }
        } else {
            make(lane, &of.to_string());
        }
        lane.emit(Event::Said { id: of, text: "one\ntwo".into() }).unwrap();
    });
    hub.emit(waiting("container:207", "exists and is not ours", "provision apply web.toml --adopt 207")).unwrap();
    let tally: Tally =
        Counts { changed: 3, in_sync: 280, waiting: 1, failed: 1, skipped: 2, ..Counts::default() }.into();
    let ended = hub.end(1, &tally).unwrap();
    assert_eq!(format!("\n{}", paper.text().replace(&ended.head[..16], "HEAD")), EXPECTED_APPLY);
}

const EXPECTED_APPLY: &str = "
web from web.toml
host
  + host/directory:/srv  made: root:root 0755  (new)
CT201–CT203
  + {201..203}/package:git  made  (new)
4 to change (4 new)
host   changed  host/directory:/srv  made  1.0 s
CT201  changed  201/package:git  made  1.0 s
CT201  says     201/package:git  one
CT201  says     201/package:git  two
CT202  failed   202/package:git  0.5 s
CT202  says     202/package:git  one
CT202  says     202/package:git  two
CT203  changed  203/package:git  made  1.0 s
CT203  says     203/package:git  one
CT203  says     203/package:git  two
host
  ! host/container:207  exists and is not ours
      provision apply web.toml --adopt 207
error: 202/package:git failed
  running `apt-get install git`
  exit 100
  | E: Unable to locate package git
2 later resources were not tried. Run `apt-get update` there, then run `provision apply web.toml` again.
applied: 3 changed, 280 in sync, 1 waiting, 1 failed, 2 not tried in 18.0 s · PROVISION-APPLY20261120-001 · head HEAD
";

#[test]
fn a_destroy_says_what_goes_what_stays_and_what_needs_a_word() {
    let (hub, paper) = lines("destroy");
    hub.emit(planned("file:/x", Label::Drift, &[Change::removed("/x", "file, 8 B")])).unwrap();
    let remark = Remark { name: "/srv".into(), text: "kept: it is not empty".into() };
    hub.emit(Event::Remark { id: id("directory:/srv"), remark }).unwrap();
    hub.emit(waiting("container:201", "its data would go with it", "provision destroy web.toml --data 201")).unwrap();
    hub.emit(Event::PlanEnded).unwrap();
    hub.emit(finished(&id("file:/x"), Outcome::Changed { changes: vec![Change::removed("/x", "file, 8 B")] })).unwrap();
    hub.end(3, &Counts { in_sync: 1, changed: 1, waiting: 1, ..Counts::default() }.into()).unwrap();
    let expected = "
web from web.toml
host
  - host/file:/x  removed: file, 8 B
  · host/directory:/srv  kept: it is not empty
  ! host/container:201  its data would go with it
      provision destroy web.toml --data 201
1 to take away
host  changed  host/file:/x  removed
destroyed: 1 taken away, 1 gone or kept, 1 waiting, 0 failed in 3.5 s · head 0000000000000000
";
    assert_eq!(format!("\n{}", paper.text()), expected);
}

#[test]
fn tests_say_each_how_they_ended() {
    let (hub, paper) = lines("test");
    side_by_side(&hub, |lane, number, _| {
        let of = id(&format!("{number}/test:inbox"));
        lane.emit(Event::Checking { ids: vec![of.clone()] }).unwrap();
        let error = Error::new("running `test -w /mnt`").reason("exit 1");
        let outcome = if number == 201 { Outcome::InSync } else { Outcome::Failed { error } };
        lane.emit(finished(&of, outcome)).unwrap();
    });
    hub.end(1, &Counts { in_sync: 1, failed_tests: 2, ..Counts::default() }.into()).unwrap();
    let expected = "
web from web.toml
CT201  passed   201/test:inbox  0.5 s
CT202  failed   202/test:inbox  0.5 s
CT203  failed   203/test:inbox  0.5 s
error: 202/test:inbox, 203/test:inbox failed
  running `test -w /mnt`
  exit 1
tested: 1 passed, 2 failed in 7.0 s · head 0000000000000000
";
    assert_eq!(format!("\n{}", paper.text()), expected);
}

#[test]
fn a_status_shows_the_checklist_and_what_is_not_as_it_should_be() {
    let paper = Paper::default();
    let names = |of: &[&str]| of.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let failed = BTreeSet::from([id("203/user:clara")]);
    let (phases, lanes) = (names(&["M365 Account", "Base Config"]), names(&["CT201", "CT202", "CT203"]));
    let hub = look("status", Box::new(Checklist::new(paper.clone(), Style::plain(), phases, lanes, failed)));
    let end = |of: String, outcome: Outcome, phase: &str| Event::Finished {
        id: id(&of),
        outcome,
        phase: Some(phase.to_owned()),
        digest: String::new(),
        absent: false,
    };
    side_by_side(&hub, |lane, number, role| {
        let waits = Outcome::Waiting { because: "not acknowledged".into(), remedy: Some("provision ack".into()) };
        lane.emit(end(format!("gate:m365-{role}"), waits, "M365 Account")).unwrap();
        lane.emit(end(format!("{number}/package:git"), Outcome::InSync, "Base Config")).unwrap();
        let label = if number == 202 { Label::Drift } else { Label::New };
        let shell = Change::field(role, "shell", Some("/bin/sh".into()), Some("/bin/bash".into()));
        lane.emit(planned(&format!("{number}/user:{role}"), label, &[shell])).unwrap();
        lane.emit(end(format!("{number}/user:{role}"), Outcome::Differs { label }, "Base Config")).unwrap();
    });
    hub.end(3, &Counts { in_sync: 3, changed: 3, waiting: 3, ..Counts::default() }.into()).unwrap();
    let expected = "
              CT201  CT202  CT203
M365 Account  !      !      !
Base Config   · 1/2  ~ 1/2  ✗ 1/2

✓ 3 done  ✗ 1 failed  ~ 1 drifted  ! 3 waiting  · 1 not yet
CT201–CT203
  ! host/gate:m365-{lilly,mike,clara}  not acknowledged
      provision ack
CT202
  ~ 202/user:mike  shell: /bin/sh → /bin/bash  (drift)
CT203
  ~ 203/user:clara  shell: /bin/sh → /bin/bash  (new)
status: 3 in sync, 3 differing, 3 waiting, 0 failed in 10.0 s · head 0000000000000000
";
    assert_eq!(format!("\n{}", paper.text()), expected);
}

#[test]
fn json_is_one_event_a_line_with_its_version_run_and_lane() {
    let dir = tempfile::tempdir().unwrap();
    let paper = Paper::default();
    let hub = start(&dir.path().join("state"), "apply", Box::new(Json::new(paper.clone())));
    hub.lane(Some("CT201")).emit(made("201/package:git", "")).unwrap();
    let ended = hub.end(0, &Tally::default()).unwrap();
    let expected = r#"
{"v":1,"run":"PROVISION-APPLY20261120-001","seq":1,"time":"2026-11-20T12:00:00.500Z","event":"started","recipe":"web","file":"web.toml","command":"apply","version":"0.1.0"}
{"v":1,"run":"PROVISION-APPLY20261120-001","seq":2,"time":"2026-11-20T12:00:01.000Z","lane":"CT201","event":"planned","id":"201/package:git","label":"new","changes":[{"name":"git","field":"","to":""}],"opaque":false}
{"v":1,"run":"PROVISION-APPLY20261120-001","seq":3,"time":"2026-11-20T12:00:02.000Z","event":"ended","exit":0,"seconds":1.5,"counts":{"in-sync":0,"changed":0,"waiting":0,"failed":0,"failed-tests":0,"skipped":0,"due":0},"head":"HEAD"}
"#;
    assert_eq!(format!("\n{}", paper.text().replace(&ended.head, "HEAD")), expected);
}

/// A pipe that nobody reads any more.
struct Closed;

impl Write for Closed {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Err(io::ErrorKind::BrokenPipe.into())
    }
}

#[test]
fn a_closed_pipe_ends_no_run() {
    let style = Style::plain();
    let reporters: [Box<dyn provision::report::Reporter>; 3] = [
        Box::new(Lines::new(Closed, Style { color: true, verbose: true, ..style }, "web.toml")),
        Box::new(Json::new(Closed)),
        Box::new(Checklist::new(Closed, style, Vec::new(), Vec::new(), BTreeSet::new())),
    ];
    for reporter in reporters {
        let hub = look("apply", reporter);
        make(&*hub, "file:/x");
        hub.end(0, &Tally::default()).unwrap();
    }
}

#[test]
fn what_a_container_prints_steers_no_terminal() {
    let (hub, paper) = lines("apply");
    let lane = hub.lane(Some("CT201"));
    lane.emit(Event::Said { id: id("201/command:x"), text: "\u{1b}[2J\u{1b}]0;owned\u{7}hi\u{8}\u{202e}".into() })
        .unwrap();
    assert!(paper.text().ends_with("CT201  says     201/command:x  hi\\u{8}\\u{202e}\n"), "{:?}", paper.text());
}

#[test]
fn a_secret_is_shown_to_nobody_and_recorded_nowhere() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    let paper = Paper::default();
    let hub = Hub::writing(crate::support::run::writer(&state), Box::new(Json::new(paper.clone())));
    let hub = hub.secrets(["hunter2-hunter2".to_owned()]);
    let change = Change::field("/x", "content", None, Some("it is hunter2-hunter2".into()));
    let diff = Some("+token=hunter2-hunter2".to_owned());
    hub.emit(Event::Applying { ids: vec![id("file:/x")], changes: vec![change.diff(diff)], absent: false }).unwrap();
    let error = Error::new("running `x`").output("hunter2-\u{1b}[0mhunter2");
    hub.emit(finished(&id("file:/x"), Outcome::Failed { error })).unwrap();
    let ledger = std::fs::read_to_string(state.join("ledger.jsonl")).unwrap();
    assert!(!ledger.contains("hunter2") && !paper.text().contains("hunter2"), "{ledger}\n{}", paper.text());
    assert_eq!(paper.text().matches("(secret)").count(), 3);
}

/// Returns an event's name in JSON.
fn name(event: &Event) -> Option<&'static str> {
    Some(match event {
        Event::Started(_) => "started",
        Event::LaneStarted => "lane-started",
        Event::LaneEnded { .. } => "lane-ended",
        Event::PlanEnded => "plan-ended",
        Event::Identified { .. } => "identified",
        Event::Checking { .. } => "checking",
        Event::Planned { .. } => "planned",
        Event::Behind { .. } => "behind",
        Event::Orphan { .. } => "orphan",
        Event::Asked { .. } => "asked",
        Event::Unexpected { .. } => "unexpected",
        Event::Applying { .. } => "applying",
        Event::Unmade { .. } => "unmade",
        Event::Finished { .. } => "finished",
        Event::Remark { .. } => "remark",
        Event::Said { .. } => "said",
        Event::Printed { .. } => "printed",
        Event::Capacity(_) => "capacity",
        Event::Warned { .. } => "warned",
        Event::Acked { .. } => "acked",
        Event::Ended(_) => "ended",
        Event::Held { .. } => "held",
        Event::Unknown => return None,
    })
}

#[test]
fn every_example_in_the_document_is_an_event_and_every_field_of_it_is_explained() {
    let document = include_str!("../docs/events.md");
    let sections: Vec<&str> = document.split("\n### ").skip(1).collect();
    assert_eq!(sections.len(), 22, "a section for each event, in `name` above");
    for section in sections {
        let heading = section.lines().next().unwrap();
        let examples: Vec<&str> = section.lines().filter(|line| line.starts_with("{\"v\"")).collect();
        assert!(!examples.is_empty(), "{heading}");
        for example in examples {
            let read: Envelope = serde_json::from_str(example).unwrap_or_else(|error| panic!("{error}: {example}"));
            assert_eq!(name(&read.event), Some(heading), "{example}");
            assert_eq!(serde_json::to_string(&read).unwrap(), example);
            let value: serde_json::Value = serde_json::from_str(example).unwrap();
            for field in value.as_object().unwrap().keys() {
                let explained = format!("| `{field}` |");
                assert!(
                    document[..document.find("## The events").unwrap()].contains(&explained)
                        || section.contains(&explained),
                    "{heading}: {field}"
                );
            }
        }
    }
}
