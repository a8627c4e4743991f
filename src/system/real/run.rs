//! Child processes: a session of their own, a bare environment, and an end even where a grandchild stays.
#![expect(clippy::disallowed_methods, reason = "the boundary: what `System` does on a real machine")]
use super::Real;
use super::children::write_down;
use super::streams::Streams;
use crate::error::{Attempt as _, Error, Result};
use crate::system::passwd::user_for_running;
use crate::system::program::PATH;
use crate::system::{Command, Output};
use nix::unistd::{Gid, Uid, setgid, setgroups, setsid, setuid};
use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// How long a child has to end after TERM.
const GRACE: Duration = Duration::from_secs(5);
/// How long we listen on after a child's end where a grandchild still holds its stdout.
const LINGER: Duration = Duration::from_millis(300);

/// Runs a program to its end.
pub(super) fn run(system: &Real, command: &Command) -> Result<Output> {
    let attempt = || format!("running `{}`", command.shown());
    let program = match find(command) {
        Ok(program) => program,
        Err(output) => return Ok(output),
    };
    let mut child = match prepare(system, command, &program).attempt(attempt)?.spawn() {
        Ok(child) => child,
        Err(error) => return could_not_start(&error, &program).attempt(attempt),
    };
    let end = command.timeout.and_then(|time| Instant::now().checked_add(time));
    let mut streams = Streams::of(&mut child, &command.stdin).attempt(attempt)?;
    if !streams.listen(end).attempt(attempt)? {
        end_group(&mut child);
        streams.drain(Instant::now());
        let time = command.timeout.unwrap_or_default();
        let printed = format!("{}\n{}", streams.stdout.text(), streams.stderr.text());
        return Err(Error::new(attempt())
            .reason(format!("it took longer than {time:?} and was ended with all its children"))
            .output(&printed)
            .remedy("raise `timeout` if it needs longer"));
    }
    let status = child.wait().attempt(attempt)?;
    streams.drain(Instant::now() + LINGER);
    let code = status.code().or(status.signal().map(|signal| 128 + signal)).unwrap_or(1);
    Ok(Output { code, stdout: streams.stdout.bytes(), stderr: streams.stderr.bytes() })
}

/// Returns the path of a program; what a shell would answer where it is not there or can't be executed.
fn find(command: &Command) -> Result<PathBuf, Output> {
    let answer = |code, why: &str| {
        let name = command.argv.first().map_or("", String::as_str);
        Output { code, stdout: Vec::new(), stderr: format!("{name}: {why}\n").into_bytes() }
    };
    let Some(name) = command.argv.first().filter(|name| !name.is_empty()) else {
        return Err(answer(127, "no program is named"));
    };
    let candidates: Vec<PathBuf> = if name.contains('/') {
        vec![command.cwd.as_deref().unwrap_or(Path::new("/")).join(name)]
    } else {
        PATH.split(':').map(|dir| Path::new(dir).join(name)).collect()
    };
    let mut there = false;
    for path in candidates {
        let Ok(found) = std::fs::metadata(&path) else { continue };
        there = true;
        if found.is_file() && found.permissions().mode() & 0o111 != 0 {
            return Ok(path);
        }
    }
    Err(if there { answer(126, "it can't be executed") } else { answer(127, "no such program") })
}

fn prepare(system: &Real, command: &Command, program: &Path) -> Result<std::process::Command> {
    let cwd = command.cwd.as_deref().unwrap_or(Path::new("/"));
    if !std::fs::metadata(cwd).is_ok_and(|found| found.is_dir()) {
        return Err(Error::new(format!("entering `{}`", cwd.display())).reason("No such directory"));
    }
    let mut process = std::process::Command::new(program);
    process.arg0(&command.argv[0]).args(&command.argv[1..]).current_dir(cwd);
    // A root without /dev has no null either: what nobody writes to has nothing to read as well.
    let null = command.stdin.is_empty() && std::fs::metadata("/dev/null").is_ok();
    process.stdin(if null { Stdio::null() } else { Stdio::piped() });
    process.stdout(Stdio::piped()).stderr(Stdio::piped());
    process.env_clear().env("PATH", PATH).env("LANG", "C.UTF-8");
    let (name, home, become_user) = match command.user.as_deref() {
        None | Some("root") => ("root".to_owned(), "/root".to_owned(), None),
        Some(name) => {
            let (user, groups) = user_for_running(system, name)?;
            let groups: Vec<Gid> = groups.into_iter().map(Gid::from_raw).collect();
            (user.name, user.home, Some((Uid::from_raw(user.uid), Gid::from_raw(user.gid), groups)))
        }
    };
    process.env("HOME", home).env("USER", &name).env("LOGNAME", name);
    process.envs(command.env.iter().map(|(name, value)| (name, value)));
    let tied = command.tied.then(nix::unistd::getpid);
    let mut children = system.children().attempt(|| "opening the list of what runs".to_owned())?;
    let enter = move || {
        // A session of its own: Ctrl-C at our terminal doesn't reach it, and it can't ask at that terminal.
        setsid()?;
        if let Some(list) = &mut children {
            write_down(list)?;
        }
        if let Some((uid, gid, groups)) = &become_user {
            setgroups(groups)?;
            setgid(*gid)?;
            setuid(*uid)?;
        }
        if let Some(parent) = tied {
            // Of the thread that started it, which waits for it; a change of user would forget it.
            nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGTERM)?;
            if nix::unistd::getppid() != parent {
                return Err(nix::errno::Errno::ESRCH.into());
            }
        }
        Ok(())
    };
    // SAFETY: between fork and exec, `enter` makes a few system calls and allocates nothing.
    #[expect(unsafe_code, reason = "setsid and the user's groups have no safe form in std")]
    unsafe {
        process.pre_exec(enter);
    }
    Ok(process)
}

fn could_not_start(error: &io::Error, program: &Path) -> io::Result<Output> {
    let code = match error.raw_os_error().map(rustix::io::Errno::from_raw_os_error) {
        // It is there, so what is missing is its interpreter.
        Some(rustix::io::Errno::NOENT) => 127,
        Some(rustix::io::Errno::ACCESS | rustix::io::Errno::NOEXEC) => 126,
        _ => return Err(io::Error::new(error.kind(), error.to_string())),
    };
    Ok(Output { code, stdout: Vec::new(), stderr: format!("{}: {error}\n", program.display()).into_bytes() })
}

/// Ends a child with its group: TERM, and KILL for what is left after a while.
fn end_group(child: &mut Child) {
    let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) else { return };
    let _gone = kill_process_group(group, Signal::TERM);
    let end = Instant::now() + GRACE;
    let mut reaped = false;
    while Instant::now() < end {
        reaped = reaped || matches!(child.try_wait(), Ok(Some(_)));
        if reaped && test_kill_process_group(group).is_err() {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let _gone = kill_process_group(group, Signal::KILL);
    let _reaped = child.wait();
}

#[cfg(test)]
mod tests {
    use crate::error::Result;
    use crate::system::{Command, Output, Real, System as _};
    use std::time::{Duration, Instant};

    fn run(command: &Command) -> Result<Output> {
        Real::new("/nonexistent").run(command)
    }

    fn sh(script: &str) -> Command {
        Command::new(["sh", "-c", script])
    }

    #[test]
    fn a_child_has_a_bare_environment_of_its_own() {
        let output = run(&Command::new(["env"]).env("EXTRA", "1")).unwrap();
        let text = output.text();
        let mut lines: Vec<_> = text.lines().collect();
        lines.sort_unstable();
        let path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
        assert_eq!(lines, ["EXTRA=1", "HOME=/root", "LANG=C.UTF-8", "LOGNAME=root", path, "USER=root"]);
    }

    #[test]
    fn stdin_is_what_was_given_or_nothing() {
        let much = vec![b'x'; 300_000];
        assert_eq!(run(&Command::new(["wc", "-c"]).stdin(much)).unwrap().text().trim(), "300000");
        assert_eq!(run(&Command::new(["cat"])).unwrap().stdout, b"");
        assert_eq!(run(&Command::new(["true"]).stdin(vec![b'x'; 300_000])).unwrap().code, 0, "it reads nothing");
    }

    #[test]
    fn codes_are_those_that_a_shell_gives() {
        assert_eq!(run(&sh("exit 3")).unwrap().code, 3);
        assert_eq!(run(&sh("kill -KILL $$")).unwrap().code, 137);
        assert_eq!(run(&Command::new(["no-such-program"])).unwrap().code, 127);
        assert_eq!(run(&Command::new(["/etc/passwd"])).unwrap().code, 126);
        assert_eq!(run(&Command::new(["/etc"])).unwrap().code, 126);
    }

    #[test]
    fn only_the_last_mebibyte_of_a_stream_is_kept() {
        let output = run(&sh("head -c 3000000 /dev/zero; echo end; echo warned >&2")).unwrap();
        assert_eq!(output.stdout.len(), 1 << 20);
        assert!(output.stdout.ends_with(b"\0end\n"));
        assert_eq!(output.stderr, b"warned\n");
    }

    #[test]
    fn a_missing_working_directory_is_an_error_that_names_it() {
        let error = run(&sh("pwd").cwd(Some("/nonexistent/dir".into()))).unwrap_err();
        assert!(error.causes[0].contains("`/nonexistent/dir`"), "{error:?}");
        assert_eq!(run(&sh("pwd").cwd(Some("/usr".into()))).unwrap().text(), "/usr\n");
    }

    #[test]
    fn a_child_whose_time_is_up_ends_with_its_children_and_says_so() {
        let mark = format!("provision-test-{}", std::process::id());
        let begun = Instant::now();
        let script = format!("echo begun; (exec -a {mark} sleep 60) & sleep 60");
        let command = Command::new(["bash", "-c", &script]).timeout(Duration::from_millis(300));
        let error = run(&command).unwrap_err();
        assert!(error.causes[0].contains("longer than 300ms"), "{error:?}");
        assert_eq!(error.output, ["begun"]);
        assert!(begun.elapsed() < Duration::from_secs(4), "TERM is enough");
        assert_eq!(run(&Command::new(["pgrep", "-f", &format!("^{mark}")])).unwrap().code, 1, "no child is left");
    }

    #[test]
    fn what_ignores_term_is_killed() {
        let command = sh("trap '' TERM; while :; do sleep 1; done").timeout(Duration::from_millis(100));
        let begun = Instant::now();
        run(&command).unwrap_err();
        assert!((5..9).contains(&begun.elapsed().as_secs()));
    }

    #[test]
    fn a_grandchild_that_keeps_stdout_open_holds_nothing_up() {
        let begun = Instant::now();
        let output = run(&sh("echo first; (sleep 0.1; echo second; exec sleep 7) & echo done")).unwrap();
        assert_eq!(output.text(), "first\ndone\nsecond\n");
        assert!(begun.elapsed() < Duration::from_secs(3));
    }

    #[test]
    fn a_user_has_its_own_groups_and_home() {
        let output = run(&Command::new(["sh", "-c", "id -un; id -G; echo $HOME $USER"]).user(Some("nobody"))).unwrap();
        assert_eq!(output.text(), "nobody\n65534\n/nonexistent nobody\n");
        let error = run(&Command::new(["true"]).user(Some("nosuchuser"))).unwrap_err();
        assert_eq!(error.causes, ["becoming user `nosuchuser`", "no such user"]);
    }

    #[test]
    fn a_child_has_no_terminal_and_its_own_group() {
        let output = run(&sh("ps -o pgid=,sid= -p $$; echo $$; (: < /dev/tty) 2>/dev/null || echo none")).unwrap();
        let text = output.text();
        let words: Vec<_> = text.split_whitespace().collect();
        assert!(words[0] == words[2] && words[1] == words[2] && words[3] == "none", "{words:?}");
    }
}
