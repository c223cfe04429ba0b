//! How attempts and daemons end: by a cancel, with a keeper that stands still, killed together.

#[path = "daemon/mod.rs"]
mod support;

use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use jobstile::core::outcome::Outcome;
use jobstile_child::Limited as _;
use support::{Daemon, Folder, wait, wait_for};

/// The process of this number, if it lives: what `/proc/PID/stat` says behind its name.
fn alive(pid: &str) -> Option<String> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (name, rest) = text.rsplit_once(") ")?;
    (!rest.starts_with('Z')).then(|| format!("{name}) {rest}"))
}

/// The keeper of a daemon.
fn keeper(daemon: &Daemon) -> String {
    child_of(&daemon.0.id().to_string(), "jobstile-keep")
}

/// The child of this name of a process.
fn child_of(parent: &str, name: &str) -> String {
    wait(name, || {
        let processes = std::fs::read_dir("/proc").unwrap().flatten();
        let mut pids = processes.filter_map(|entry| entry.file_name().into_string().ok());
        pids.find(|pid| {
            alive(pid).is_some_and(|stat| {
                let rest = stat.rsplit_once(") ").unwrap().1;
                stat.contains(&format!("({name})")) && rest.split(' ').nth(1) == Some(parent)
            })
        })
    })
}

fn signal(pid: &str, name: &str) {
    assert!(Command::new("kill").args(["-s", name, "--", pid]).limited().unwrap().status.success());
    if name == "STOP" {
        jobstile_child::stands_still(pid.parse().unwrap()).unwrap();
    }
}

/// A number that a job wrote down.
fn written(folder: &Folder, name: &str) -> String {
    wait("a number", || folder.read(name).strip_suffix('\n').map(ToOwned::to_owned))
}

#[test]
fn a_cancel_reaches_the_running_process() {
    let folder = Folder::new("[jobs.long]\nshell = \"echo $$ > pid; exec sleep 300\"\n");
    let _daemon = folder.serve(&[]);
    let mut client = folder.client();
    wait("the job", || client.job("long").unwrap());
    let run = folder.trigger(&mut client, "long").run.unwrap();
    let pid = written(&folder, "pid");
    assert!(alive(&pid).is_some());
    let start = Instant::now();
    let cancelled = folder.program().args(["cancel", &run.to_string()]).limited().unwrap();
    assert!(cancelled.status.success(), "{cancelled:?}");
    wait("its end", || alive(&pid).is_none().then_some(()));
    wait_for(&client, run, "cancelled");
    assert!(start.elapsed() < Duration::from_secs(20), "it was asked, not waited for");
    let attempts = client.attempts(run).unwrap();
    assert_eq!(attempts.iter().map(|attempt| attempt.outcome).collect::<Vec<_>>(), [Some(Outcome::Cancelled)]);
}

#[test]
fn a_term_ends_a_daemon_whose_keeper_stands_still() {
    let folder = Folder::new("[jobs.long]\nshell = \"echo $$ > pid; exec sleep 300\"\n");
    let daemon = folder.serve(&[]);
    let mut client = folder.client();
    wait("the job", || client.job("long").unwrap());
    folder.trigger(&mut client, "long");
    let pid = written(&folder, "pid");
    let keeper = keeper(&daemon);
    signal(&keeper, "STOP");
    daemon.signal("TERM");
    wait("the word", || folder.read("log").contains("again to end them now").then_some(()));
    daemon.signal("TERM");
    assert_eq!(daemon.end(), Some(0), "{}", folder.read("log"));
    assert_eq!((alive(&pid), alive(&keeper)), (None, None));
    let log = folder.read("log");
    assert!(log.contains("it said nothing for 10 s"), "{log}");
}

#[test]
fn after_daemon_and_keeper_are_killed_nothing_overlaps_however_it_hides() {
    // It has no environment, a session of its own and no parent, and holds a lock of the kernel that a second one misses.
    let folder = Folder::new(
        r#"
        [jobs.one]
        shell = """
        echo 'echo $$ >> pids; flock -n lock sleep 300 || echo overlap >> overlap' > hidden
        (env -i PATH="$PATH" setsid sh hidden <&- >/dev/null 2>&1 &)
        sleep 300
        """
        "#,
    );
    let mut daemon = folder.serve(&[]);
    let mut client = folder.client();
    wait("the job", || client.job("one").unwrap());
    let run = folder.trigger(&mut client, "one").run.unwrap();
    for round in 1..=2usize {
        wait("an attempt", || (folder.read("pids").lines().count() == round).then_some(()));
        let keeper = keeper(&daemon);
        daemon.signal("STOP");
        signal(&keeper, "KILL");
        daemon.signal("KILL");
        assert_eq!(daemon.end(), None);
        daemon = folder.serve(&[]);
    }
    wait("one more attempt", || (folder.read("pids").lines().count() == 3).then_some(()));
    assert_eq!(folder.read("overlap"), "");
    let living = folder.read("pids").lines().filter(|pid| alive(pid).is_some()).count();
    assert_eq!(living, 1, "only the last one lives");
    assert_eq!(client.run(run).unwrap().unwrap().row.lost, 2);
    daemon.signal("TERM");
    daemon.signal("TERM");
    wait("its end", || folder.read("pids").lines().all(|pid| alive(pid).is_none()).then_some(()));
}

#[test]
fn lock_files_of_nodes_that_the_store_never_knew_are_cleared_away() {
    let folder = Folder::new("[jobs.a]\nshell = \"true\"\n");
    let nodes = folder.path().join(".jobstile/jobstile.db-nodes");
    std::fs::create_dir_all(&nodes).unwrap();
    for name in ["0a.lock", "0a.daemon", "0b.lock.new", "0c.daemon"] {
        std::fs::write(nodes.join(name), "").unwrap();
    }
    let daemon = folder.serve(&[]);
    let mut client = folder.client();
    wait("the job", || client.job("a").unwrap());
    let run = folder.trigger(&mut client, "a").run.unwrap();
    wait_for(&client, run, "succeeded");
    let left = || -> Vec<String> {
        let names =
            std::fs::read_dir(&nodes).unwrap().flatten().filter_map(|entry| entry.file_name().into_string().ok());
        names.filter(|name| name.starts_with('0') && name.len() < 16).collect()
    };
    wait("a clean folder", || left().is_empty().then_some(()));
    daemon.signal("TERM");
    assert_eq!(daemon.end(), Some(0), "{}", folder.read("log"));
}

#[test]
fn a_command_that_can_never_start_ends_dead_with_the_reason() {
    let folder = Folder::new("[jobs.tool]\ncommand = [\"./tool\"]\n");
    folder.write("tool", "#!/bin/sh\r\necho hello\r\n");
    let may_run = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(folder.path().join("tool"), may_run).unwrap();
    let check = folder.program().arg("check").limited().unwrap();
    let said = String::from_utf8_lossy(&check.stderr).into_owned();
    assert!(said.contains("`tool` can never start") && said.contains("carriage return"), "{said}");
    let _daemon = folder.serve(&[]);
    let mut client = folder.client();
    wait("the job", || client.job("tool").unwrap());
    let run = folder.trigger(&mut client, "tool").run.unwrap();
    wait_for(&client, run, "dead");
    let attempts = client.attempts(run).unwrap();
    assert_eq!((attempts.len(), attempts[0].exit_code), (1, Some(127)));
    assert!(attempts[0].message.as_deref().unwrap().contains("its interpreter /bin/sh\\r does not exist"));
    assert!(!folder.read("log").contains("can run here again"), "{}", folder.read("log"));
}

/// A job whose process leaves the tree and holds a lock of the kernel that a second one misses.
const LEAVES: &str = r#"
    [jobs.one]
    shell = """
    umask 0
    echo 'echo $$ >> pids; flock -n lock sleep 300 || echo overlap >> overlap' > hidden$$
    (setsid sh hidden$$ <&- >/dev/null 2>&1 &)
    echo $$ > main
    exec sleep 300
    """
"#;

/// A folder in which every user may work, with a program that every user can reach.
fn open_folder() -> Folder {
    let uid = Command::new("id").arg("-u").limited().unwrap().stdout;
    assert_eq!(uid, b"0\n", "this test needs root: it starts daemons of other users and in PID namespaces");
    let folder = Folder::new(LEAVES);
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    std::fs::copy(env!("CARGO_BIN_EXE_jobstile"), folder.path().join("jobstile")).unwrap();
    folder
}

/// A daemon in this folder, joined to the others, that this command of util-linux starts.
fn behind(folder: &Folder, front: &[&str]) -> Daemon {
    let log = std::fs::File::options().create(true).append(true).open(folder.path().join("log")).unwrap();
    let mut command = Command::new(front[0]);
    command.args(&front[1..]).arg(folder.path().join("jobstile")).args(["serve", "--join"]);
    command.current_dir(folder.path()).without_ours().env("HOME", folder.path());
    command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
    Daemon(command.spawn().unwrap_or_else(|error| panic!("this test needs {} (util-linux): {error}", front[0])))
}

/// The first daemon and its keeper are killed together beside the second, which cannot see what they leave.
fn nothing_overlaps(folder: &Folder, first: &str, second: impl FnOnce() -> Daemon, end: impl FnOnce()) {
    let mut client = folder.client();
    wait("the job", || client.job("one").unwrap());
    let run = folder.trigger(&mut client, "one").run.unwrap();
    let attempts = || folder.read("pids").lines().count();
    wait("an attempt", || (attempts() == 1).then_some(()));
    let _second = second();
    wait("the second daemon", || (client.nodes(9).unwrap().len() == 2).then_some(()));
    let keeper = child_of(first, "jobstile-keep");
    signal(first, "STOP");
    signal(&keeper, "KILL");
    signal(first, "KILL");
    wait("its word", || folder.read("log").contains("their slots stay taken").then_some(()));
    assert_eq!(client.run(run).unwrap().unwrap().row.state.as_str(), "running", "it keeps its slot");
    let told = folder.program().args(["explain", &run.to_string()]).limited().unwrap();
    let told = String::from_utf8(told.stdout).unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(told.contains(&format!("run {run} of one still lives although its node")), "{told}");
    assert_eq!(attempts(), 1, "nothing runs beside it");
    end();
    wait("one more attempt", || (attempts() == 2).then_some(()));
    assert_eq!(folder.read("overlap"), "");
    assert_eq!(client.run(run).unwrap().unwrap().row.lost, 1);
}

#[test]
fn two_daemons_of_two_users_never_overlap_after_one_is_killed() {
    let folder = open_folder();
    let first = behind(&folder, &["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]);
    let second = || behind(&folder, &["setpriv", "--reuid=65533", "--regid=65534", "--clear-groups"]);
    let end = || {
        signal(&written(&folder, "main"), "KILL");
        signal(&format!("-{}", written(&folder, "pids")), "KILL");
    };
    nothing_overlaps(&folder, &first.0.id().to_string(), second, end);
}

#[test]
fn two_daemons_in_two_pid_namespaces_never_overlap_after_one_is_killed() {
    let folder = open_folder();
    // The first process of a namespace takes all others along when it ends: the daemon is not the first one.
    let front =
        ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", "\"$0\" \"$@\" & wait; sleep 300"];
    let first = behind(&folder, &front);
    let shell = child_of(&first.0.id().to_string(), "sh");
    let daemon = child_of(&shell, "jobstile");
    nothing_overlaps(&folder, &daemon, || behind(&folder, &front), || signal(&shell, "KILL"));
}

#[test]
fn the_log_names_what_a_command_left_running_and_says_that_a_keeper_was_replaced() {
    let leaves = "[jobs.leaves]\nshell = \"sleep 300 >/dev/null 2>&1 & echo $! > left\"\n";
    let long = "[jobs.long]\nshell = \"echo $$ > pid; [ -e again ] || { touch again; exec sleep 300; }\"\n";
    let folder = Folder::new(&format!("{leaves}{long}"));
    let daemon = folder.serve(&[]);
    let mut client = folder.client();
    wait("the job", || client.job("long").unwrap());
    let run = folder.trigger(&mut client, "leaves").run.unwrap();
    wait_for(&client, run, "succeeded");
    let left = written(&folder, "left");
    let line = wait("the line", || {
        folder.read("log").lines().find(|line| line.contains("Ended what a command left running")).map(str::to_owned)
    });
    assert!(line.contains("job_type=leaves") && line.contains(&format!("sleep (pid {left})")), "{line}");
    assert_eq!(alive(&left), None);

    let run = folder.trigger(&mut client, "long").run.unwrap();
    written(&folder, "pid");
    signal(&keeper(&daemon), "KILL");
    wait_for(&client, run, "succeeded");
    // Lines are printed in the order of their time, a moment later.
    let log =
        wait("the line", || Some(folder.read("log")).filter(|log| log.contains("A new keeper has taken the place")));
    let (ended, new) =
        (log.find("Keeper ended, ending what it had started"), log.find("A new keeper has taken the place"));
    assert!(ended.is_some() && ended < new, "{log}");
    daemon.signal("TERM");
    assert_eq!(daemon.end(), Some(0));
}

#[test]
fn no_log_line_quotes_the_output_of_a_job_with_log_output_false() {
    let job = |name: &str, more: &str| format!("[jobs.{name}]\nshell = \"echo secret-of-{name}; exit 3\"\n{more}");
    let folder = Folder::new(&format!("{}{}", job("open", ""), job("silent", "log_output = false\n")));
    let daemon = folder.serve(&[]);
    let mut client = folder.client();
    wait("the job", || client.job("silent").unwrap());
    for name in ["open", "silent"] {
        let run = folder.trigger(&mut client, name).run.unwrap();
        wait_for(&client, run, "dead");
    }
    let log = wait("both lines", || Some(folder.read("log")).filter(|log| log.matches("Run dead").count() == 2));
    assert!(log.contains("secret-of-open") && !log.contains("secret-of-silent"), "{log}");
    assert!(
        log.lines().any(|line| line.contains("job_type=silent") && line.contains("error=\"exit code 3\"")),
        "{log}"
    );
    daemon.signal("TERM");
    assert_eq!(daemon.end(), Some(0));
}
