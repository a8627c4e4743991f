//! Units as they are in life, on a real systemd: a disposable machine, in which this very test runs again.
use crate::lab::on_a_disposable_machine;
use crate::support::here::{Here, item};
use provision::item::Item;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const RUNS: &str = "[Service]\nExecStart=/bin/sleep infinity\n";
const WANTED: &str = "[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n";

fn unit(fields: Value) -> Item {
    item("unit", &fields)
}

fn in_a_disposable_machine(test: &str, steps: &[(&str, fn(&mut Here))]) {
    on_a_disposable_machine(test, &[], || {
        for (what, step) in steps {
            let begun = Instant::now();
            step(&mut Here::new());
            println!("{what}: {:.1} s", begun.elapsed().as_secs_f64());
        }
    });
}

/// Puts a unit file in place, as a person or a package does.
fn put(here: &Here, path: &str, text: &str) {
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/etc/systemd/system/{path}") };
    here.sh(&format!("mkdir -p \"$(dirname {path})\""));
    std::fs::write(&path, text).unwrap();
    here.sh("systemctl daemon-reload");
}

fn show(here: &Here, unit: &str, property: &str) -> String {
    here.sh(&format!("systemctl show --value -p {property} -- {unit}"))
}

/// Returns what was said of the one unit that failed.
fn failure(said: &[String]) -> &str {
    let failures: Vec<&String> = said.iter().filter(|line| line.contains(" failed: ")).collect();
    assert_eq!(failures.len(), 1, "{said:#?}");
    failures[0]
}

#[track_caller]
fn says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "`{part}` is not in {text}");
    }
}

#[test]
fn a_unit_goes_by_its_names() {
    in_a_disposable_machine(
        "e2e_units::a_unit_goes_by_its_names",
        &[
            ("an alias stands for its unit", alias),
            ("an alias that enabling makes", alias_to_come),
            ("a name that begins with a dash", dash),
            ("templates and instances", template),
            ("an instance with a file of its own", own_instance),
        ],
    );
}

fn alias(here: &mut Here) {
    put(here, "/lib/systemd/system/real.service", &format!("{WANTED}Alias=other.service\n"));
    here.sh("systemctl enable real.service");
    let by_alias = |more: Value| {
        let mut fields = json!({ "name": "other.service", "settle": "100ms" });
        fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        [unit(fields)]
    };
    here.converges(
        &by_alias(json!({ "enabled": true, "active": true })),
        &["unit:other.service active: inactive -> active"],
    );
    assert_eq!(here.sh("systemctl is-active real.service"), "active");
    put(here, "/etc/systemd/system/real.service.d/a.conf", "[Service]\nEnvironment=A=1\n");
    here.converges(
        &by_alias(json!({ "active": true })),
        &["unit:other.service restarted: older than /etc/systemd/system/real.service.d/a.conf -> restarted"],
    );
    here.converges(
        &by_alias(json!({ "enabled": false, "active": false })),
        &["unit:other.service enabled: enabled -> disabled", "unit:other.service active: active -> inactive"],
    );
    assert_eq!(here.sh("systemctl is-enabled real.service || true"), "disabled");
}

fn alias_to_come(here: &mut Here) {
    let recipe = [
        unit(json!({ "name": "first.service", "content": format!("{WANTED}Alias=second.service\n"), "enabled": true })),
        unit(json!({ "name": "second.service", "active": true, "settle": "100ms" })),
    ];
    let said = here.plan(&recipe);
    assert_eq!(said[2], "unit:second.service active: inactive -> active after unit:first.service", "{said:#?}");
    let said = here.apply(&recipe);
    assert!(!said.iter().any(|line| line.contains(" failed: ")), "{said:#?}");
    here.in_sync(&recipe);
    assert_eq!(here.sh("systemctl is-active first.service"), "active");
}

fn dash(here: &mut Here) {
    here.in_sync(&[unit(json!({ "name": ["-.mount", "-.slice"], "active": true }))]);
}

fn template(here: &mut Here) {
    let content =
        "[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\nDefaultInstance=one\n";
    let recipe = [
        unit(json!({ "name": "many@.service", "content": content })),
        unit(
            json!({ "name": ["many@one.service", "many@two.service"], "enabled": true, "active": true, "settle": "100ms" }),
        ),
    ];
    let said = here.apply(&recipe);
    assert_eq!(said.len(), 5, "{said:#?}");
    here.in_sync(&recipe);
    // An instance that nobody enabled is not enabled because another one is.
    let third = [unit(json!({ "name": "many@three.service", "enabled": true }))];
    here.converges(&third, &["unit:many@three.service enabled: disabled -> enabled"]);
    put(here, "many@two.service.d/a.conf", "[Service]\nEnvironment=A=1\n");
    here.converges(
        &recipe,
        &["unit:many@two.service restarted: older than /etc/systemd/system/many@two.service.d/a.conf -> restarted"],
    );
    here.destroy(&third);
    here.destroy(&recipe);
    assert_eq!(here.sh("find /etc/systemd/system -name 'many@*.service'"), "");
    assert_eq!(here.sh("systemctl is-active many@one.service many@two.service || true"), "inactive\ninactive");
}

fn own_instance(here: &mut Here) {
    put(here, "/lib/systemd/system/some@.service", RUNS);
    here.sh("systemctl start some@x.service");
    let recipe = [unit(
        json!({ "name": "some@x.service", "content": "[Service]\nExecStart=/bin/sleep 1000\n", "settle": "100ms" }),
    )];
    let said = here.apply(&recipe);
    assert_eq!(said.len(), 2, "{said:#?}");
    here.in_sync(&recipe);
    says(&show(here, "some@x.service", "ExecStart"), &["sleep 1000"]);
    says(&here.sh("cat /proc/$(systemctl show --value -p MainPID some@x.service)/cmdline | tr '\\0' ' '"), &["1000"]);
}

#[test]
fn a_unit_starts_at_boot_or_not() {
    in_a_disposable_machine(
        "e2e_units::a_unit_starts_at_boot_or_not",
        &[
            ("enabled and masked until the next boot", until_the_next_boot),
            ("enabled by others: Also=", indirect),
            ("scripts of System V", script),
            ("made by a generator, or for this boot", generated),
            ("linked from elsewhere", linked),
            ("masked", masked),
        ],
    );
}

fn until_the_next_boot(here: &mut Here) {
    put(here, "/lib/systemd/system/once.service", WANTED);
    here.sh("systemctl enable --runtime once.service");
    let enabled = |is: bool| [unit(json!({ "name": "once.service", "enabled": is }))];
    here.converges(&enabled(true), &["unit:once.service enabled: enabled-runtime -> enabled"]);
    here.converges(&enabled(false), &["unit:once.service enabled: enabled -> disabled"]);
    here.sh("systemctl mask --runtime once.service");
    let said = here.apply(&enabled(true));
    assert_eq!(said, ["unit:once.service waiting: somebody masked it (systemctl unmask --runtime once.service)"]);
    let masked = |is: bool| [unit(json!({ "name": "once.service", "masked": is }))];
    here.converges(&masked(true), &["unit:once.service masked: masked-runtime -> masked"]);
    here.converges(&masked(false), &["unit:once.service masked: masked -> unmasked"]);
    assert_eq!(here.sh("systemctl is-enabled once.service || true"), "disabled");
}

fn indirect(here: &mut Here) {
    put(here, "along.service", "[Service]\nExecStart=/bin/sleep infinity\n[Install]\nAlso=along.socket\n");
    put(here, "along.socket", "[Socket]\nListenStream=/run/along.sock\n[Install]\nWantedBy=sockets.target\n");
    let said = here.plan(&[unit(json!({ "name": "along.service", "enabled": true }))]);
    says(failure(&said), &["enabling `along.service`: its `[Install]` section only names `along.socket`: enable that"]);
    here.converges(
        &[unit(json!({ "name": "along.socket", "enabled": true }))],
        &["unit:along.socket enabled: disabled -> enabled"],
    );
}

fn script(here: &mut Here) {
    let script = "#!/bin/sh\n### BEGIN INIT INFO\n# Provides: old\n# Required-Start:\n# Required-Stop:\n\
                  # Default-Start: 2 3 4 5\n# Default-Stop: 0 1 6\n### END INIT INFO\nexit 0\n";
    put(here, "/etc/init.d/old", script);
    here.sh("chmod 0755 /etc/init.d/old; systemctl daemon-reload");
    let enabled = |is: bool| [unit(json!({ "name": "old.service", "enabled": is }))];
    here.converges(&enabled(true), &["unit:old.service enabled: disabled -> enabled"]);
    here.sh("test -e /etc/rc5.d/S??old");
    here.converges(&enabled(false), &["unit:old.service enabled: enabled -> disabled"]);
}

fn generated(here: &mut Here) {
    here.sh("echo 'tmpfs /opt tmpfs defaults,noauto 0 0' >>/etc/fstab; systemctl daemon-reload");
    let mount = |field: &str, is: bool| [unit(json!({ "name": "opt.mount", field: is }))];
    here.in_sync(&mount("enabled", true));
    let said = here.plan(&mount("enabled", false));
    says(failure(&said), &["disabling `opt.mount`: it is made from `/etc/fstab` at each boot"]);
    here.converges(&mount("active", true), &["unit:opt.mount active: inactive -> active"]);
    here.converges(&mount("active", false), &["unit:opt.mount active: active -> inactive"]);
    here.sh("systemd-run -q --unit=passing sleep infinity");
    here.in_sync(&[unit(json!({ "name": "passing.service", "active": true, "enabled": false }))]);
    let said = here.plan(&[unit(json!({ "name": "passing.service", "enabled": true }))]);
    says(failure(&said), &["enabling `passing.service`: it is transient"]);
}

fn linked(here: &mut Here) {
    here.sh("mkdir -p /opt/units");
    put(here, "/opt/units/linked.service", WANTED);
    here.sh("systemctl link /opt/units/linked.service");
    let recipe = [unit(json!({ "name": "linked.service", "enabled": true, "active": true, "settle": "100ms" }))];
    here.converges(
        &recipe,
        &["unit:linked.service enabled: linked -> enabled", "unit:linked.service active: inactive -> active"],
    );
}

fn masked(here: &mut Here) {
    put(here, "/lib/systemd/system/shut.service", WANTED);
    here.sh("systemctl enable -q --now shut.service");
    here.converges(
        &[unit(json!({ "name": "shut.service", "masked": true, "enabled": false, "active": false }))],
        &[
            "unit:shut.service enabled: enabled -> disabled",
            "unit:shut.service masked: enabled -> masked",
            "unit:shut.service active: active -> inactive",
        ],
    );
    here.sh("test ! -e /etc/systemd/system/multi-user.target.wants/shut.service");
    // That mask was ours.
    here.converges(
        &[unit(json!({ "name": "shut.service", "content": RUNS }))],
        &["unit:shut.service: nothing -> unit file, 40 B", "unit:shut.service masked: masked -> unmasked"],
    );
    put(here, "/lib/systemd/system/theirs.service", WANTED);
    here.sh("systemctl mask theirs.service");
    let said = here.apply(&[unit(json!({ "name": "theirs.service", "content": RUNS }))]);
    assert_eq!(said, ["unit:theirs.service waiting: somebody masked it (systemctl unmask theirs.service)"]);
    assert_eq!(here.sh("readlink /etc/systemd/system/theirs.service"), "/dev/null");
    // What is not there can be masked before it comes.
    let gone = [unit(json!({ "name": "never.service", "masked": true }))];
    here.converges(&gone, &["unit:never.service masked: not there -> masked"]);
    here.destroy(&gone);
    here.sh("test ! -L /etc/systemd/system/never.service");
    // An instance of a template that is masked.
    put(here, "/lib/systemd/system/shut@.service", RUNS);
    here.sh("systemctl mask shut@.service");
    let said = here.apply(&[unit(json!({ "name": "shut@a.service", "active": true }))]);
    assert_eq!(said, ["unit:shut@a.service waiting: somebody masked it (systemctl unmask shut@.service)"]);
}

#[test]
fn a_unit_comes_up_and_stays_up_or_has_failed() {
    in_a_disposable_machine(
        "e2e_units::a_unit_comes_up_and_stays_up_or_has_failed",
        &[
            ("it dies after two seconds", dies),
            ("systemd keeps starting it", loops),
            ("it fails at its start", fails),
            ("of a list some fail", some_fail),
            ("it takes longer than its time", slow),
            ("it never says that it is ready", silent),
            ("a condition is not met", condition),
            ("systemd refuses its file", refused),
        ],
    );
}

fn dies(here: &mut Here) {
    let content = "[Service]\nExecStart=/bin/sh -c 'sleep 2; echo last words; exit 3'\n";
    let dying =
        |settle: &str| [unit(json!({ "name": "dying.service", "content": content, "active": true, "settle": settle }))];
    let said = here.apply(&dying("5s"));
    says(failure(&said), &["starting `dying.service`: it is failed (exit-code, status 3)", "last words"]);
    // Who does not wait for it does not see it, and the next run does.
    let said = here.apply(&dying("500ms"));
    assert_eq!(said, ["unit:dying.service active: failed (exit-code, status 3) -> active"]);
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(here.plan(&dying("500ms")), ["unit:dying.service active: failed (exit-code, status 3) -> active"]);
}

fn loops(here: &mut Here) {
    let content = "[Service]\nExecStart=/bin/sh -c 'sleep 0.5; exit 3'\nRestart=always\nRestartSec=100ms\n\
                   [Unit]\nStartLimitIntervalSec=0\n";
    let recipe = [unit(json!({ "name": "looping.service", "content": content, "active": true, "settle": "2s" }))];
    let said = here.apply(&recipe);
    says(failure(&said), &["starting `looping.service`: it ended and was started again by systemd"]);
    // It is active most of the time, and differs all the same.
    let said = here.plan(&recipe);
    assert!(said.len() == 1 && said[0].starts_with("unit:looping.service active: "), "{said:#?}");
    here.sh("systemctl stop looping.service");
}

fn fails(here: &mut Here) {
    let content = "[Service]\nType=notify\nEnvironmentFile=/etc/none.env\nExecStart=/bin/sleep infinity\n";
    let said = here.apply(&[unit(json!({ "name": "failing.service", "content": content, "active": true }))]);
    says(
        failure(&said),
        &[
            "running `systemctl start -- failing.service`: exit 1: `failing.service` is failed (resources)",
            "Failed to load environment files: No such file or directory",
        ],
    );
    let said = here.apply(&[unit(
        json!({ "name": "lacking.service", "content": "[Service]\nExecStart=/opt/none\n", "active": true }),
    )]);
    says(failure(&said), &["failed (exit-code, status 203)", "/opt/none"]);
    // The journal may not know the unit of a process that was gone too soon: this one was never in it.
    let beside = "printf 'UNIT=beside.service\\nMESSAGE=said beside it\\n' | logger --journald";
    here.sh(beside);
    let content = "[Service]\nExecStart=/bin/false\nRestart=no\n";
    let said = here.apply(&[unit(json!({ "name": "beside.service", "content": content, "active": true }))]);
    says(failure(&said), &["failed (exit-code, status 1)", "said beside it"]);
    let said = here.plan(&[unit(json!({ "name": "nowhere.service", "active": true }))]);
    says(
        failure(&said),
        &["looking for the unit `nowhere.service`: it is not there, and nothing earlier in the recipe brings it"],
    );
}

fn some_fail(here: &mut Here) {
    let content =
        "[Service]\nExecStart=/bin/sh -c 'test %i = good && exec sleep infinity; echo no %i; sleep 0.5; exit 1'\n";
    let recipe = [
        unit(json!({ "name": "some@.service", "content": content })),
        unit(
            json!({ "name": ["some@bad.service", "some@good.service", "some@worse.service"], "active": true, "settle": "2s" }),
        ),
    ];
    let said = here.apply(&recipe);
    assert!(said.contains(&"unit:some@good.service active: inactive -> active".to_owned()), "{said:#?}");
    let failed: Vec<&String> = said.iter().filter(|line| line.contains(" failed: ")).collect();
    assert_eq!(failed.len(), 2, "{said:#?}");
    says(failed[0], &["unit:some@bad.service", "`some@worse.service`: it is failed", "no bad", "no worse"]);
    assert_eq!(here.sh("systemctl is-active some@good.service"), "active");
    assert_eq!(here.plan(&recipe).len(), 2);
}

fn slow(here: &mut Here) {
    let content = "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStartPre=/bin/sleep 3\nExecStart=/bin/true\n";
    let mut item = unit(json!({ "name": "slow.service", "content": content, "active": true }));
    item.job.timeout = Duration::from_secs(1);
    let said = here.apply(std::slice::from_ref(&item));
    says(
        failure(&said),
        &[
            "it took longer than 1s",
            "`slow.service` is activating (start-pre): systemd goes on starting `slow.service`",
        ],
    );
    let said = here.plan(std::slice::from_ref(&item));
    assert_eq!(said, ["unit:slow.service active: activating (start-pre) -> active"]);
    // The next run waits for the start that is under way, and has nothing that could die to wait for.
    item.job.timeout = Duration::from_secs(20);
    let begun = Instant::now();
    here.apply(std::slice::from_ref(&item));
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    here.in_sync(std::slice::from_ref(&item));
}

fn silent(here: &mut Here) {
    let content = "[Service]\nType=notify\nTimeoutStartSec=1\nExecStart=/bin/sleep infinity\n";
    let said = here.apply(&[unit(json!({ "name": "silent.service", "content": content, "active": true }))]);
    says(failure(&said), &["`silent.service` is failed (timeout", "start operation timed out"]);
    // One that does say so.
    let content = "[Service]\nType=notify\nNotifyAccess=all\nExecStart=/bin/sh -c 'sleep 1; systemd-notify --ready; exec sleep infinity'\n";
    let recipe = [unit(json!({ "name": "ready.service", "content": content, "active": true, "settle": "100ms" }))];
    let said = here.apply(&recipe);
    assert_eq!(said.len(), 2, "{said:#?}");
    here.in_sync(&recipe);
}

fn condition(here: &mut Here) {
    let content = format!("[Unit]\nConditionPathExists=/etc/none\n{RUNS}");
    let said = here.apply(&[unit(json!({ "name": "picky.service", "content": content, "active": true }))]);
    says(failure(&said), &["systemd skipped it: one of its conditions is not met", "ConditionPathExists=/etc/none"]);
}

fn refused(here: &mut Here) {
    let recipe = |content: &str| {
        [unit(json!({ "name": "strict.service", "content": content, "active": true, "settle": "100ms" }))]
    };
    here.apply(&recipe(RUNS));
    let before = show(here, "strict.service", "InvocationID");
    let bad = "[Service]\nExecStart=/bin/sleep 1\nExecStart=/bin/sleep 2\n";
    let said = here.apply(&recipe(bad));
    let parts = [
        "loading `strict.service`: systemd refuses it: bad-setting: Unit strict.service has a bad unit file setting.",
        "Service has more than one ExecStart= setting",
    ];
    says(failure(&said), &parts);
    assert_eq!(show(here, "strict.service", "InvocationID"), before, "what ran runs on");
    // Nothing is written any more, and it is an error still.
    says(failure(&here.apply(&recipe(bad))), &parts);
    says(failure(&here.plan(&[unit(json!({ "name": "strict.service", "content": bad }))])), &parts);
    let said = here.apply(&recipe("[Service\nExecStart=/bin/sleep 1\n"));
    says(failure(&said), &["systemd refuses it: error", "Invalid section header '[Service'"]);
    here.apply(&recipe("[Service]\nExecStart=/bin/sleep 1000\n"));
    here.in_sync(&recipe("[Service]\nExecStart=/bin/sleep 1000\n"));
    assert_ne!(show(here, "strict.service", "InvocationID"), before);
}

#[test]
fn a_unit_runs_with_what_there_is_now() {
    in_a_disposable_machine(
        "e2e_units::a_unit_runs_with_what_there_is_now",
        &[
            ("its program is watched where it is named", program),
            ("drop-ins of all kinds", drop_ins),
            ("what holds at once needs no restart", at_once),
            ("somebody restarted it without reading its files", half_read),
            ("a file that moves into place with an old time", old_time),
            ("a socket, and the service that it starts", socket),
            ("a socket whose service runs already", socket_late),
            ("a unit that can't reload", no_reload),
            ("a slice", slice),
            ("units of a user that lingers", lingering),
        ],
    );
}

fn program(here: &mut Here) {
    here.sh("cp /bin/sleep /usr/local/bin/agent");
    let content = "[Service]\nExecStart=/usr/local/bin/agent infinity\n";
    let plain = [unit(json!({ "name": "agent.service", "content": content, "active": true, "settle": "100ms" }))];
    let watching = [unit(
        json!({ "name": "agent.service", "content": content, "active": true, "settle": "100ms", "watch": ["/usr/local/bin/agent"] }),
    )];
    here.apply(&plain);
    here.in_sync(&watching);
    here.sh("cp /bin/sleep /usr/local/bin/agent.new; printf x >>/usr/local/bin/agent.new; mv /usr/local/bin/agent.new /usr/local/bin/agent");
    here.in_sync(&plain);
    here.converges(&watching, &["unit:agent.service restarted: older than /usr/local/bin/agent -> restarted"]);
}

fn drop_ins(here: &mut Here) {
    put(here, "dr-op@.service", RUNS);
    let recipe = [unit(json!({ "name": "dr-op@a.service", "active": true, "settle": "100ms" }))];
    here.apply(&recipe);
    let restarted = |path: &str| format!("unit:dr-op@a.service restarted: older than {path} -> restarted");
    let places = [
        "/etc/systemd/system/dr-op@.service.d/a.conf",
        "/etc/systemd/system/dr-.service.d/b.conf",
        "/run/systemd/system/dr-op@a.service.d/c.conf",
        "/usr/local/lib/systemd/system/dr-op@a.service.d/d.conf",
    ];
    for (number, path) in places.iter().enumerate() {
        // Nobody tells systemd.
        here.sh(&format!("mkdir -p $(dirname {path}); printf '[Service]\\nEnvironment=A{number}=1\\n' >{path}"));
        here.converges(&recipe, &[&restarted(path)]);
        says(&show(here, "dr-op@a.service", "Environment"), &[&format!("A{number}=1")]);
    }
    // One of the distribution's is masked by a link to nothing.
    here.sh("ln -s /dev/null /etc/systemd/system/dr-op@a.service.d/d.conf 2>/dev/null || \
             { mkdir /etc/systemd/system/dr-op@a.service.d; ln -s /dev/null /etc/systemd/system/dr-op@a.service.d/d.conf; }");
    let said = here.apply(&recipe);
    assert!(said.len() == 1 && said[0].contains('d'), "{said:#?}");
    here.in_sync(&recipe);
    here.sh("rm /etc/systemd/system/dr-.service.d/b.conf");
    let gone = "unit:dr-op@a.service restarted: started with /etc/systemd/system/dr-.service.d/b.conf, which is gone -> restarted";
    here.converges(&recipe, &[gone]);
}

fn at_once(here: &mut Here) {
    put(here, "bound.service", RUNS);
    let recipe = [unit(json!({ "name": "bound.service", "active": true, "settle": "100ms" }))];
    here.apply(&recipe);
    let before = show(here, "bound.service", "InvocationID");
    here.sh("systemctl set-property bound.service TasksMax=100; systemctl set-property --runtime bound.service CPUWeight=50");
    let said = here.apply(&recipe);
    assert!(said.iter().all(|line| line.contains(" definition: ")), "{said:#?}");
    here.in_sync(&recipe);
    // The same bytes anew.
    here.sh("touch /etc/systemd/system/bound.service");
    here.converges(&recipe, &["unit:bound.service definition: older than its files -> read again"]);
    assert_eq!(show(here, "bound.service", "InvocationID"), before);
}

fn half_read(here: &mut Here) {
    put(here, "half.service", RUNS);
    let recipe = [unit(json!({ "name": "half.service", "active": true, "settle": "100ms" }))];
    here.apply(&recipe);
    here.sh("sed -i s/infinity/1000/ /etc/systemd/system/half.service; systemctl restart half.service");
    here.converges(&recipe, &["unit:half.service restarted: older than /etc/systemd/system/half.service -> restarted"]);
    says(&show(here, "half.service", "ExecStart"), &["sleep 1000"]);
}

fn old_time(here: &mut Here) {
    put(here, "old-time.service", "[Service]\nEnvironmentFile=-/etc/old-time.env\nExecStart=/bin/sleep infinity\n");
    let recipe = [unit(json!({ "name": "old-time.service", "active": true, "settle": "100ms" }))];
    here.apply(&recipe);
    here.sh("echo A=1 >/etc/old.new; touch -d 2001-01-01 /etc/old.new; mv /etc/old.new /etc/old-time.env");
    here.converges(&recipe, &["unit:old-time.service restarted: older than /etc/old-time.env -> restarted"]);
    // A time to come is no reason for ever.
    here.sh("touch -d 2099-01-01 /etc/systemd/system/old-time.service /etc/old-time.env; systemctl daemon-reload");
    here.sh("systemctl restart old-time.service");
    here.apply(&recipe);
    here.in_sync(&recipe);
}

fn socket(here: &mut Here) {
    let socket = |mode: &str| {
        [
            unit(json!({ "name": "talk.service", "content": RUNS })),
            unit(json!({
                "name": "talk.socket",
                "content": format!("[Socket]\nListenStream=/run/talk.sock\nSocketMode={mode}\n[Install]\nWantedBy=sockets.target\n"),
                "enabled": true,
                "active": true
            })),
        ]
    };
    here.apply(&socket("0600"));
    here.in_sync(&socket("0600"));
    assert_eq!(here.sh("systemctl is-active talk.service || true"), "inactive", "nobody has connected");
    here.sh("systemctl start talk.service");
    here.in_sync(&socket("0600"));
    here.converges(
        &socket("0660"),
        &[
            "unit:talk.socket content: 87 B -> 87 B",
            "unit:talk.socket restarted: older than /etc/systemd/system/talk.socket -> restarted",
            "unit:talk.socket service: talk.service active, which keeps its socket from starting -> restarted",
        ],
    );
    assert_eq!(
        here.sh("stat -c %a /run/talk.sock; systemctl is-active talk.service talk.socket"),
        "660\nactive\nactive"
    );
    // The service alone is restarted without its socket.
    let at = show(here, "talk.socket", "InvocationID");
    let mut recipe = socket("0660");
    recipe[0] =
        unit(json!({ "name": "talk.service", "content": "[Service]\nExecStart=/bin/sleep 1000\n", "settle": "100ms" }));
    let said = here.apply(&recipe);
    assert_eq!(said.len(), 2, "{said:#?}");
    assert_eq!(show(here, "talk.socket", "InvocationID"), at);
    here.destroy(&recipe);
    assert_eq!(here.sh("systemctl is-active talk.service talk.socket || true"), "inactive\ninactive");
}

fn socket_late(here: &mut Here) {
    put(here, "late.service", RUNS);
    put(here, "late.socket", "[Socket]\nListenStream=/run/late.sock\n");
    // In the wrong order.
    let both = [unit(json!({ "name": ["late.service", "late.socket"], "active": true, "settle": "100ms" }))];
    here.apply(&both);
    here.in_sync(&both);
    here.sh("systemctl stop late.socket");
    here.converges(
        &both,
        &[
            "unit:late.socket active: inactive -> active",
            "unit:late.socket service: late.service active, which keeps its socket from starting -> restarted",
        ],
    );
}

fn no_reload(here: &mut Here) {
    put(here, "firm.service", RUNS);
    let said =
        here.plan(&[unit(json!({ "name": "firm.service", "active": true, "watch": ["/etc/hosts"], "reload": true }))]);
    says(failure(&said), &["it can't reload: it has no `ExecReload=`"]);
}

fn slice(here: &mut Here) {
    let recipe = |weight: u32| {
        [
            unit(json!({ "name": "cake.slice", "content": format!("[Slice]\nCPUWeight={weight}\n"), "active": true })),
            unit(
                json!({ "name": "cake.service", "content": format!("{RUNS}Slice=cake.slice\n"), "active": true, "settle": "100ms" }),
            ),
        ]
    };
    here.apply(&recipe(10));
    let before = show(here, "cake.service", "InvocationID");
    let said = here.apply(&recipe(20));
    assert_eq!(said, ["unit:cake.slice content: 21 B -> 21 B"]);
    here.in_sync(&recipe(20));
    assert_eq!(show(here, "cake.slice", "CPUWeight"), "20");
    assert_eq!(show(here, "cake.service", "InvocationID"), before, "what is in it runs on");
}

fn lingering(here: &mut Here) {
    here.sh("useradd -m -u 1777 lin; loginctl enable-linger lin");
    here.sh("mkdir -p /home/lin/.config/systemd/user; printf '[Service]\\nExecStart=/bin/false\\n' >/home/lin/.config/systemd/user/same.service");
    let recipe = [
        unit(json!({ "name": "same.service", "content": WANTED, "enabled": true, "active": true, "settle": "100ms" })),
        unit(json!({ "name": "user@1777.service", "active": true, "settle": "100ms" })),
    ];
    let said = here.apply(&recipe);
    assert_eq!(said.iter().filter(|line| line.starts_with("unit:same.service")).count(), 3, "{said:#?}");
    assert!(!said.iter().any(|line| line.contains(" failed: ")), "{said:#?}");
    here.in_sync(&recipe);
    here.destroy(&recipe[..1]);
    here.sh("test -e /home/lin/.config/systemd/user/same.service");
}
