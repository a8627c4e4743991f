//! git, as far as checkouts go. A repository at a path is a file of lines: `commit ID PARENT`, `branch NAME ID`, `tag NAME ID COMMIT`.
//! A clone has git's own files, the commits in `.git/commits`, and one file, `content`, with the id that is checked out.
use super::{FakeMachine, answer, refuse};
use provision::system::git::{parse_config, parse_packed_refs};
use provision::system::{Command, Output};
use std::path::Path;

pub fn git(machine: &FakeMachine, command: &Command) -> Output {
    let mut words: Vec<&str> = command.argv[1..].iter().map(String::as_str).collect();
    while words.first() == Some(&"-c") {
        words.drain(..2);
    }
    words.retain(|word| !matches!(*word, "--no-overwrite-ignore" | "--ignore-missing"));
    let done = match words[..] {
        ["clone", ..] => clone(machine, &words),
        ["-C", path, ref rest @ ..] => Clone { machine, path }.run(rest),
        _ => Err("usage".to_owned()),
    };
    match done {
        Ok(printed) => answer(0, &printed),
        Err(code) if code == "1" => refuse(1, ""),
        Err(why) => refuse(128, &format!("fatal: {why}\n")),
    }
}

type Done = Result<String, String>;

/// The lines of a repository that begin with a word, split.
fn lines(text: &str, first: &str) -> Vec<Vec<String>> {
    let split = text.lines().map(|line| line.split(' ').map(str::to_owned).collect::<Vec<_>>());
    split.filter(|words| words[0] == first).collect()
}

fn clone(machine: &FakeMachine, words: &[&str]) -> Done {
    let [.., "--", url, path] = words else { return Err("usage: clone".to_owned()) };
    let remote = machine.text(url);
    if remote.is_empty() {
        return Err(format!("repository '{url}' does not exist"));
    }
    for directory in ["info", "refs/heads", "refs/provision", "refs/remotes/origin", "refs/tags"] {
        machine.dir(&format!("{path}/.git/{directory}"));
    }
    let mut packed = "# pack-refs with: peeled fully-peeled sorted \n".to_owned();
    for words in lines(&remote, "branch") {
        packed.push_str(&[&words[2], " refs/remotes/origin/", &words[1], "\n"].concat());
    }
    for words in lines(&remote, "tag") {
        packed.push_str(&[&words[2], " refs/tags/", &words[1], "\n^", &words[3], "\n"].concat());
    }
    let file = |name: &str, text: &str| machine.file(&format!("{path}/.git/{name}"), text);
    file("packed-refs", &packed);
    file("config", &format!("[remote \"origin\"]\n\turl = {url}\n"));
    let commits: String =
        remote.lines().filter(|line| line.starts_with("commit ")).flat_map(|line| [line, "\n"]).collect();
    file("commits", &commits);
    if words.iter().any(|word| word.starts_with("--depth=")) {
        file("shallow", "some\n");
    }
    let asked = words.iter().position(|word| *word == "--branch").map_or("main", |at| words[at + 1]);
    let branches = lines(&remote, "branch");
    if let Some(branch) = branches.iter().find(|branch| branch[1] == asked) {
        file("HEAD", &format!("ref: refs/heads/{asked}\n"));
        file(&format!("refs/heads/{asked}"), &format!("{}\n", branch[2]));
        return Ok(String::new());
    }
    match lines(&remote, "tag").iter().find(|tag| tag[1] == asked) {
        Some(tag) => file("HEAD", &format!("{}\n", tag[3])),
        None => return Err(format!("Remote branch {asked} not found in upstream origin")),
    }
    Ok(String::new())
}

/// A clone at a path.
struct Clone<'m> {
    machine: &'m FakeMachine,
    path: &'m str,
}

impl Clone<'_> {
    fn run(&self, words: &[&str]) -> Done {
        let nothing = || Ok(String::new());
        match words {
            ["rev-parse", "--verify", name] | ["rev-parse", "--verify", "--quiet", name] => {
                self.id(name).map(|id| format!("{id}\n")).ok_or("1".to_owned())
            }
            ["cat-file", "-e", name] => self.id(name).map(|_| String::new()).ok_or("1".to_owned()),
            ["checkout"] | ["read-tree", "--reset", "-u", _] => self.show(),
            ["checkout", "--detach", name] => {
                let id = self.id(&format!("{name}^{{commit}}")).ok_or("no such commit")?;
                self.write("HEAD", &format!("{id}\n"));
                self.show()
            }
            ["checkout", "--no-track", "-b", name, start] => {
                let id = self.id(start).ok_or("no such commit")?;
                self.write(&format!("refs/heads/{name}"), &format!("{id}\n"));
                self.write("HEAD", &format!("ref: refs/heads/{name}\n"));
                self.show()
            }
            ["checkout", name, "--"] => {
                self.write("HEAD", &format!("ref: refs/heads/{name}\n"));
                self.show()
            }
            ["diff-tree", "-r", "-z", "--no-renames", from, to] if from != to => {
                Ok(format!(":100644 100644 {from} {to} M\0content\0"))
            }
            ["hash-object", "--stdin-paths"] => Ok(self.machine.text(&format!("{}/content", self.path))),
            ["config" | "diff-tree", ..] | ["ls-files", "-v", "-z"] => nothing(),
            ["merge", "--ff-only", name] => {
                let id = self.id(name).ok_or("no such commit")?;
                let head = self.read("HEAD");
                let branch = head.trim().strip_prefix("ref: ").ok_or("detached")?;
                self.write(branch, &format!("{id}\n"));
                self.show()
            }
            ["merge-base", "--is-ancestor", older, newer] => {
                let (older, newer) = (self.id(older).ok_or("none")?, self.id(newer).ok_or("none")?);
                if self.history(&newer).contains(&older) { nothing() } else { Err("1".to_owned()) }
            }
            ["status", ..] => {
                let content = self.machine.text(&format!("{}/content", self.path));
                let clean = content.trim() == self.id("HEAD").unwrap_or_default();
                Ok(if clean { String::new() } else { " M content\0".to_owned() })
            }
            ["for-each-ref", "--count=1", "--contains", id, below @ ..] => {
                let mut names = self.refs();
                names.retain(|name| below.iter().all(|below| name.starts_with(*below)));
                let holds =
                    |name: &&String| self.id(name).is_some_and(|tip| self.history(&tip).iter().any(|one| one == id));
                Ok(names.iter().find(holds).cloned().unwrap_or_default())
            }
            ["rev-list", "--missing=allow-any", "--max-count=1", id, "--"] => Ok(self.id(id).ok_or("bad object")?),
            ["update-ref", name, id] => {
                self.write(name, &format!("{id}\n"));
                nothing()
            }
            [
                "rev-list",
                "--max-count=1",
                "HEAD",
                "--all",
                "--not",
                "--remotes",
                "--glob=refs/provision",
                given @ ..,
            ] => Ok(self.unpushed(given)),
            ["ls-remote", "origin", names @ ..] => {
                let remote = self.machine.text(&self.origin());
                let branches = lines(&remote, "branch")
                    .into_iter()
                    .map(|words| (format!("refs/heads/{}", words[1]), words[2].clone()));
                let tags = lines(&remote, "tag")
                    .into_iter()
                    .map(|words| (format!("refs/tags/{}", words[1]), words[2].clone()));
                let asked = branches.chain(tags).filter(|(name, _)| names.contains(&name.as_str()));
                Ok(asked.flat_map(|(name, id)| [id, "\t".to_owned(), name, "\n".to_owned()]).collect())
            }
            ["fetch", "--no-tags", rest @ ..] => self.fetch(rest.last().ok_or("usage")?),
            ["remote", "set-url" | "add", "origin", url] => {
                self.write("config", &format!("[remote \"origin\"]\n\turl = {url}\n"));
                nothing()
            }
            ["sparse-checkout", "set", "--cone", directories @ ..] => {
                let cone = directories.iter().flat_map(|directory| ["/", directory, "/\n"]);
                self.write("info/sparse-checkout", &format!("/*\n!/*/\n{}", cone.collect::<String>()));
                self.write("config.worktree", "[core]\n\tsparseCheckout = true\n\tsparseCheckoutCone = true\n");
                nothing()
            }
            ["sparse-checkout", "disable"] => {
                self.write("config.worktree", "[core]\n\tsparseCheckout = false\n\tsparseCheckoutCone = false\n");
                nothing()
            }
            // A commit of one's own, for cases: `git -C PATH commit ID`.
            ["commit", id] => {
                let parent = self.id("HEAD").ok_or("no HEAD")?;
                self.write("commits", &format!("{}commit {id} {parent}\n", self.read("commits")));
                let head = self.read("HEAD");
                self.write(head.trim().strip_prefix("ref: ").unwrap_or("HEAD"), &format!("{id}\n"));
                self.show()
            }
            _ => Err(format!("unexpected {words:?}")),
        }
    }

    /// A commit of a ref's that neither origin nor what is given has.
    fn unpushed(&self, given: &[&str]) -> String {
        let names = self.refs();
        let theirs = |name: &&String| ["refs/remotes/", "refs/provision/"].iter().any(|at| name.starts_with(at));
        let pushed = names.iter().filter(theirs).map(String::as_str);
        let pushed: Vec<String> = pushed.chain(given.iter().copied()).filter_map(|name| self.id(name)).collect();
        let known: Vec<String> = pushed.iter().flat_map(|id| self.history(id)).collect();
        let ours = names.iter().filter(|name| !theirs(name)).map(String::as_str);
        let commit = |name: &str| self.id(&format!("{name}^{{commit}}"));
        let left = ours.chain(["HEAD"]).filter_map(commit).find(|id| !known.contains(id));
        left.unwrap_or_default()
    }

    fn fetch(&self, what: &str) -> Done {
        let remote = self.machine.text(&self.origin());
        let mut commits = self.read("commits");
        for line in remote.lines().filter(|line| line.starts_with("commit ")) {
            if !commits.lines().any(|known| known == line) {
                commits.push_str(&[line, "\n"].concat());
            }
        }
        self.write("commits", &commits);
        let Some((from, to)) = what.trim_start_matches('+').split_once(':') else { return Ok(String::new()) };
        if to.starts_with("refs/provision/") {
            self.write(to, &format!("{from}\n"));
            return Ok(String::new());
        }
        let (kind, name) = from.strip_prefix("refs/").and_then(|name| name.split_once('/')).ok_or("refspec")?;
        let kind = if kind == "heads" { "branch" } else { "tag" };
        let listed =
            lines(&remote, kind).into_iter().find(|words| words[1] == name).ok_or("couldn't find remote ref")?;
        self.write(to, &format!("{}\n", listed[2]));
        if kind == "tag" {
            self.write("commits", &format!("{}object {} {}\n", self.read("commits"), listed[2], listed[3]));
        }
        Ok(String::new())
    }

    /// The id of a name; with `^{commit}` that of the commit behind a tag.
    fn id(&self, name: &str) -> Option<String> {
        if let Some(tag) = name.strip_suffix("^{commit}") {
            let id = self.id(tag)?;
            let packed = parse_packed_refs(&self.read("packed-refs")).get(tag).and_then(|target| target.peeled.clone());
            let behind = lines(&self.read("commits"), "object").into_iter().find(|words| words[1] == id);
            return Some(packed.or(behind.map(|words| words[2].clone())).unwrap_or(id));
        }
        if lines(&self.read("commits"), "commit").iter().any(|words| words[1] == name) {
            return Some(name.to_owned());
        }
        if name == "HEAD" {
            let head = self.read("HEAD");
            return match head.trim().strip_prefix("ref: ") {
                Some(branch) => self.id(branch),
                None => Some(head.trim().to_owned()),
            };
        }
        let loose = self.read(name).trim().to_owned();
        let packed = || parse_packed_refs(&self.read("packed-refs")).get(name).map(|target| target.id.clone());
        if loose.is_empty() { packed() } else { Some(loose) }
    }

    fn history(&self, tip: &str) -> Vec<String> {
        let commits = lines(&self.read("commits"), "commit");
        let mut found = vec![tip.to_owned()];
        while let Some(words) = commits.iter().find(|words| Some(&words[1]) == found.last()) {
            if found.contains(&words[2]) {
                break;
            }
            found.push(words[2].clone());
        }
        found
    }

    fn refs(&self) -> Vec<String> {
        let mut names: Vec<String> = parse_packed_refs(&self.read("packed-refs")).into_keys().collect();
        for below in ["refs/heads", "refs/provision", "refs/remotes/origin", "refs/tags"] {
            let found = self.machine.disk().list(Path::new(&format!("{}/.git/{below}", self.path))).unwrap_or_default();
            names.extend(found.iter().map(|name| format!("{below}/{}", name.to_string_lossy())));
        }
        names
    }

    fn origin(&self) -> String {
        let config = parse_config(&self.read("config"));
        config.into_iter().find(|(key, _)| key == "remote.origin.url").map_or_else(String::new, |(_, url)| url)
    }

    fn show(&self) -> Done {
        let id = self.id("HEAD").ok_or("no HEAD")?;
        self.machine.file(&format!("{}/content", self.path), &format!("{id}\n"));
        Ok(String::new())
    }

    fn read(&self, name: &str) -> String {
        self.machine.text(&format!("{}/.git/{name}", self.path))
    }

    fn write(&self, name: &str, text: &str) {
        self.machine.file(&format!("{}/.git/{name}", self.path), text);
    }
}
