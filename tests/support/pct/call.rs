//! A call of `pct`: which command, of which container, or how it is used.
use crate::conf::Conf;
use crate::{Done, Refusal, clone, copy, create, life, refuse, resize, set, show, wrong};

const USAGE: &str = "USAGE: pct <COMMAND> [ARGS] [OPTIONS]

       pct clone <vmid> <newid> [OPTIONS]
       pct create <vmid> <ostemplate> [OPTIONS]
       pct destroy <vmid> [OPTIONS]
       pct list 
       pct migrate <vmid> <target> [OPTIONS]
       pct move-volume <vmid> <volume> [<storage>] [<target-vmid>] [<target-volume>] [OPTIONS]
       pct pending <vmid>
       pct resize <vmid> <disk> <size> [OPTIONS]
       pct restore <vmid> <ostemplate> [OPTIONS]
       pct template <vmid>

       pct config <vmid> [OPTIONS]
       pct set <vmid> [OPTIONS]

       pct delsnapshot <vmid> <snapname> [OPTIONS]
       pct listsnapshot <vmid>
       pct rollback <vmid> <snapname> [OPTIONS]
       pct snapshot <vmid> <snapname> [OPTIONS]

       pct reboot <vmid> [OPTIONS]
       pct resume <vmid>
       pct shutdown <vmid> [OPTIONS]
       pct start <vmid> [OPTIONS]
       pct stop <vmid> [OPTIONS]
       pct suspend <vmid>

       pct console <vmid> [OPTIONS]
       pct cpusets 
       pct df <vmid>
       pct enter <vmid> [OPTIONS]
       pct exec <vmid> [<extra-args>] [OPTIONS]
       pct fsck <vmid> [OPTIONS]
       pct fstrim <vmid> [OPTIONS]
       pct mount <vmid>
       pct pull <vmid> <path> <destination> [OPTIONS]
       pct push <vmid> <file> <destination> [OPTIONS]
       pct remote-migrate <vmid> [<target-vmid>] <target-endpoint> --target-bridge <string> --target-storage <string> [OPTIONS]
       pct rescan  [OPTIONS]
       pct status <vmid> [OPTIONS]
       pct unlock <vmid>
       pct unmount <vmid>

       pct help [<extra-args>] [OPTIONS]";

/// Returns how a command is used, by its full name.
pub fn usage(command: &str) -> String {
    let start = format!("pct {command} ");
    USAGE.lines().map(str::trim_start).find(|line| line.starts_with(&start)).unwrap_or_default().to_owned()
}

/// Returns the command that a word is, or is the only beginning of.
fn command(word: &str) -> Option<&'static str> {
    let names = USAGE.lines().filter_map(|line| line.trim_start().strip_prefix("pct ")?.split(' ').next());
    let mut names = names.filter(|name| name.starts_with(word));
    match (names.clone().find(|name| *name == word), names.next(), names.next()) {
        (Some(name), ..) | (None, Some(name), None) => Some(name),
        _ => None,
    }
}

pub fn call(arguments: &[String]) -> Done {
    let Some((word, rest)) = arguments.split_first() else {
        return refuse(255, format!("ERROR: no command specified\n{USAGE}"));
    };
    let Some(command) = command(word) else {
        return refuse(255, format!("ERROR: unknown command 'pct {word}'\n{USAGE}"));
    };
    if command == "list" {
        return life::list();
    }
    let usage = usage(command);
    let mut rest = rest.to_vec();
    // The only option that is seen before the id.
    let leading =
        if rest.first().is_some_and(|first| first == "--keep-env") { rest.drain(..2).collect() } else { Vec::new() };
    let Some((id, rest)) = rest.split_first() else {
        return refuse(2, format!("400 not enough arguments\n{usage}"));
    };
    let Ok(number) = id.parse::<u32>() else {
        return wrong(2, &format!("vmid: type check ('integer') failed - got '{id}'\n"), &usage);
    };
    if number < 100 {
        return wrong(2, "vmid: invalid format - value does not look like a valid VM ID\n\n", &usage);
    }
    match command {
        "create" => create::create(number, rest),
        "set" => set::set(number, rest),
        "resize" => resize::resize(number, rest),
        "config" => show::config(number, rest),
        "pending" => show::pending(number),
        "status" => show::status(number, rest),
        "start" => life::start(number, rest),
        "stop" => life::stop(number),
        "shutdown" => life::shutdown(number, rest),
        "reboot" => life::reboot(number, rest),
        "destroy" => life::destroy(number, rest),
        "unlock" => life::unlock(number),
        "exec" => copy::exec(number, &[&leading, rest].concat()),
        "enter" => copy::enter(number),
        "clone" => clone::clone(number, rest),
        "template" => clone::template(number),
        "mount" => clone::mount(number),
        "unmount" => clone::unmount(number),
        "push" => copy::push(number, rest),
        "pull" => copy::pull(number, rest),
        "snapshot" => {
            Conf::read(number)?.refuse_locked().and_then(|()| refuse(255, "snapshot feature is not available"))
        }
        "listsnapshot" => show::snapshots(number),
        "df" => {
            let conf = Conf::read(number).map(drop);
            conf.or_else(|Refusal(code, why)| refuse(code, format!("{number} doesn't exist\n{why}")))?;
            refuse(255, "the stand-in has no `pct df`")
        }
        other => {
            Conf::read(number)?.refuse_locked()?;
            refuse(255, format!("the stand-in has no `pct {other}`"))
        }
    }
}
