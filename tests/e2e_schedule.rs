//! `schedule` on a real systemd: drift is made on the host and in a container, the timer fires, the drift is gone; the
//! metrics and the hook say so.
use crate::lab::Lab;
use std::path::Path;
use std::time::{Duration, Instant};

const TEMPLATE: &str = "/var/cache/provision/templates/debian-12-standard_12.7-1_amd64.tar.zst";

/// Something waits for a person, so every run ends with 3.
const RECIPE: &str = r#"
name = "kept"
needs = ["word"]
[secrets]
token = { env = "KEPT_TOKEN" }
[[file]]
path    = "/etc/kept"
content = "{{ word }} {{ token }}\n"
[[directory]]
path = "/srv/kept"
mode = "0750"
[[bridge]]
name    = "br9"
address = "10.89.0.1/24"
[[container]]
id       = 201
hostname = "lilly"
template = "debian-12-standard_12.7-1_amd64.tar.zst"
network  = [{ bridge = "br9", address = "10.89.0.31/24", gateway = "10.89.0.1" }]
[[include]]
in     = 201
lane   = "CT201"
recipe = "inside.toml"
[[gate]]
name         = "account"
instructions = "make the account"
"#;

const INSIDE: &str = "[[file]]\npath = \"/etc/kept-inside\"\ncontent = \"as asked\\n\"\n";

/// Keeps the metrics of the run of which it is told, and all that it is told.
const HOOK: &str = "cp /srv/metrics/provision-kept.prom \"/srv/drift-$PROVISION_DRIFT.prom\"; \
                    { echo \"$PROVISION_OUTCOME $PROVISION_RECIPE\"; cat; } >>/srv/told\n";

#[test]
fn what_drifts_is_repaired_by_the_timer_and_the_metrics_and_the_hook_say_so() {
    let lab = Lab::up(&["lxc", "uidmap", "zstd", "nftables", "ifupdown"]);
    lab.put(Path::new(env!("CARGO_BIN_EXE_provision")), "/usr/local/bin/provision");
    lab.put(Path::new(TEMPLATE), TEMPLATE);
    lab.write("/srv/kept.toml", RECIPE);
    lab.write("/srv/inside.toml", INSIDE);
    lab.write("/srv/hook.sh", HOOK);
    lab.write("/etc/provision/config.toml", "metrics = \"/srv/metrics\"\n[hook]\nargv = [\"sh\", \"/srv/hook.sh\"]\n");
    lab.write("/etc/provision/environment", "KEPT_TOKEN=50% of $HOME\n");
    lab.sh("chmod 0600 /etc/provision/environment; mkdir /srv/metrics");
    let applied = lab.run(&[
        "env",
        "KEPT_TOKEN=50% of $HOME",
        "provision",
        "apply",
        "/srv/kept.toml",
        "--var",
        "word=all 50%",
        "--yes",
    ]);
    assert_eq!(applied.code, 3, "{applied:?}");

    let set = "cd /srv; provision schedule kept.toml --every 5s --var 'word=all 50%'";
    assert!(lab.sh(set).starts_with("kept is applied every 5s; "));
    let written = lab.sh("stat -c %y /etc/systemd/system/provision-kept.*");
    assert!(lab.sh(set).starts_with("kept is applied every 5s already; "));
    assert_eq!(lab.sh("stat -c %y /etc/systemd/system/provision-kept.*"), written);
    assert_eq!(lab.sh("systemd-analyze verify /etc/systemd/system/provision-kept.* 2>&1"), "");

    until(
        &lab,
        "the first run",
        "grep -q '^provision_last_run_exit_code{recipe=\"kept\"} 3$' /srv/metrics/provision-kept.prom && systemctl show -P ExecMainExitTimestampMonotonic provision-kept.service | grep -qv '^0$'",
    );
    assert!(!lab.sh("ls /srv").contains("told"), "nothing has drifted");

    // All at once, so that one run finds it all.
    lab.sh(
        "systemctl stop provision-kept.timer; while systemctl is-active -q provision-kept.service; do sleep 0.1; done",
    );
    lab.inside(201, "echo other >/etc/kept-inside");
    lab.sh("echo other >/etc/kept; chmod 0777 /srv/kept");
    lab.sh("systemctl start provision-kept.timer");
    until(&lab, "the drift is told", "grep -q '^drift 201/file:/etc/kept-inside$' /srv/told");
    assert_eq!(lab.sh("cat /etc/kept"), "all 50% 50% of $HOME\n");
    assert_eq!(lab.inside(201, "cat /etc/kept-inside"), "as asked\n");
    let told = lab.sh("cat /srv/told");
    assert!(told.starts_with("drift kept\n"), "{told}");
    for id in ["host/file:/etc/kept", "host/directory:/srv/kept"] {
        assert!(told.contains(&format!("drift {id}\n")), "{told}");
    }
    let metrics = lab.sh("cat /srv/drift-3.prom");
    for line in [
        "provision_drift_resources{recipe=\"kept\",lane=\"CT201\"} 1\n",
        "provision_drift_resources{recipe=\"kept\",lane=\"host\"} 2\n",
        "provision_resources{recipe=\"kept\",lane=\"CT201\",outcome=\"changed\"} 1\n",
        "provision_resources{recipe=\"kept\",lane=\"host\",outcome=\"changed\"} 2\n",
    ] {
        assert!(metrics.contains(line), "{line}{metrics}");
    }

    // A container that the run started stays when the run ends.
    lab.sh("lxc-stop -n 201 -k");
    until(&lab, "the container runs", "grep -q '^drift host/container:201$' /srv/told");
    until(
        &lab,
        "nothing drifts any more",
        "grep -q '^provision_drift_resources{recipe=\"kept\",lane=\"host\"} 0$' /srv/metrics/provision-kept.prom",
    );
    lab.sh(
        "systemctl stop provision-kept.timer; while systemctl is-active -q provision-kept.service; do sleep 0.1; done",
    );
    assert_eq!(lab.inside(201, "cat /etc/kept-inside"), "as asked\n");
    let metrics = lab.sh("cat /srv/metrics/provision-kept.prom");
    for line in [
        "provision_resources{recipe=\"kept\",lane=\"host\",outcome=\"converged\"} 4\n",
        "provision_resources{recipe=\"kept\",lane=\"host\",outcome=\"waiting\"} 1\n",
        "provision_resources{recipe=\"kept\",lane=\"CT201\",outcome=\"converged\"} 1\n",
        "provision_last_run_exit_code{recipe=\"kept\"} 3\n",
    ] {
        assert!(metrics.contains(line), "{line}{metrics}");
    }
    assert_ne!(lab.run(&["systemctl", "is-failed", "-q", "provision-kept.service"]).code, 0, "to wait is no failure");

    assert!(lab.sh(set).starts_with("kept is applied every 5s; "), "a timer that was stopped is started again");
    until(&lab, "the next time", "provision schedule | grep -q '^kept  every 5s  next 20.* UTC  last 20.* UTC$'");
    let calendar = lab.sh("cd /srv; provision schedule kept.toml --calendar '*-*-* 03:00' --var 'word=all 50%'");
    assert!(calendar.starts_with("kept is applied at *-*-* 03:00; "), "{calendar}");
    assert_eq!(lab.sh("systemd-analyze verify /etc/systemd/system/provision-kept.* 2>&1"), "");
    until(&lab, "the next time", "provision schedule | grep -q '^kept  at .* next 20.* 03:0'");
    assert_eq!(lab.sh("provision schedule kept --off"), "kept is not scheduled any more\n");
    assert_eq!(lab.sh("provision schedule; systemctl list-timers --all -q 'provision-*'"), "");
    assert_eq!(lab.sh("find /etc/systemd /var/lib/systemd/timers -name '*provision*'"), "");
    assert_eq!(lab.run(&["provision", "schedule", "kept", "--off"]).code, 2);
    a_bundle_is_applied_by_its_digest_alone(&lab);
}

/// Of what systemd expands on a command line there is some in its path.
fn a_bundle_is_applied_by_its_digest_alone(lab: &Lab) {
    lab.write("/srv/a 50% $b/web.toml", "name = \"web\"\n[[file]]\npath = \"/etc/web\"\ncontent = \"as asked\\n\"\n");
    lab.sh("cd '/srv/a 50% $b'; provision bundle web.toml; rm web.toml
         provision schedule \"web.tar#sha256=$(sha256sum web.tar | cut -d ' ' -f 1)\" --calendar daily
         systemctl start provision-web; grep 'as asked' /etc/web");
    lab.sh("rm /etc/web; echo >>'/srv/a 50% $b/web.tar'; ! systemctl start provision-web; [ ! -e /etc/web ]");
    // What it was called only the schedule knows.
    lab.sh("grep '^provision_last_run_completed{recipe=\"web\"} 0$' /srv/metrics/provision-web.prom");
    lab.sh("journalctl -u provision-web | grep 'its SHA-256 is'; provision schedule --off");
}

fn until(lab: &Lab, what: &str, condition: &str) {
    let begun = Instant::now();
    while lab.run(&["sh", "-c", condition]).code != 0 {
        let journal = || {
            lab.sh("systemctl list-timers --all 'provision-*'; journalctl -n 60 --no-pager -u 'provision-*'; cat /srv/metrics/*")
        };
        assert!(begun.elapsed() < Duration::from_mins(5), "{what} does not come:\n{}", journal());
        std::thread::sleep(Duration::from_millis(200));
    }
}
