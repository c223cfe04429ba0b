//! What goes wrong with a store, each with its exit code and what to do about it; and who works on it.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use jobstile_child::{LIMIT, Limited as _};

use insta::assert_snapshot;
use jobstile::clock;

use crate::world::World;

/// A change that somebody else's program makes to the file.
fn edit(file: &Path, sql: &str) {
    let script = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.executescript(sys.argv[2]); c.commit()";
    let done = Command::new("python3").args(["-c", script]).arg(file).arg(sql).limited().unwrap().status;
    assert!(done.success());
}

#[test]
fn what_is_not_there() {
    let world = World::new();
    assert_snapshot!(world.screen(&["ls", "--store", "nowhere.db"]), @r"
    $ jobstile ls --store nowhere.db
    --- to standard error
    error: no daemon has ever worked on this store: ./nowhere.db (not there yet)
      start one: jobstile serve --store nowhere.db      another store: --store FILE
    [exit 3]
    ");
    assert_snapshot!(world.screen(&["show", "bakup"]), @r"
    $ jobstile show bakup
    --- to standard error
    error: no job `bakup` in ./.jobstile/jobstile.db; did you mean backup?
      (6 jobs; definitions of /srv/jobstile.toml, loaded 00:00:00)      all of them: jobstile ls
    [exit 3]
    ");
    assert_snapshot!(world.screen(&["runs", "nothing_like_it"]), @r"
    $ jobstile runs nothing_like_it
    --- to standard error
    error: no job `nothing_like_it` in ./.jobstile/jobstile.db
      (6 jobs; definitions of /srv/jobstile.toml, loaded 00:00:00)      all of them: jobstile ls
    [exit 3]
    ");
    assert_snapshot!(world.screen(&["logs", "7"]), @r"
    $ jobstile logs 7
    --- to standard error
    error: no run 7 in ./.jobstile/jobstile.db
      nothing has run here yet
    [exit 3]
    ");
    assert_snapshot!(world.screen(&["logs", "backup"]), @r"
    $ jobstile logs backup
    --- to standard error
    error: nothing to show of backup: no run of it was started yet
      its runs: jobstile runs backup
    [exit 3]
    ");
    assert_snapshot!(world.screen(&["cancel", "x"]), @r"
    $ jobstile cancel x
    --- to standard error
    error: `x` is not a run
      write the number of a run, as `jobstile runs` shows it
    [exit 2]
    ");
    assert_snapshot!(world.screen(&["decisions", "--after", "x"]), @r"
    $ jobstile decisions --after x
    --- to standard error
    error: --after x: not a place
      write what the end of the page before says
    [exit 2]
    ");
    assert_snapshot!(world.screen(&["runs", "--since", "8"]), @r"
    $ jobstile runs --since 8
    --- to standard error
    error: --since 8: a duration needs its unit
      write 8s or 8m
    [exit 2]
    ");
    let none: [&[&str]; 5] = [
        &["runs", "--since", "0s"],
        &["decisions", "--since", "0m"],
        &["trigger", "backup", "--in", "0s"],
        &["trigger", "backup", "--wait=0s"],
        &["retry", "--job", "backup", "--dead", "--since", "0h"],
    ];
    for line in none {
        let ran = world.run(line);
        assert!(
            ran.code() == 2 && ran.err().contains("a duration longer than zero is needed"),
            "{line:?}: {}",
            ran.err()
        );
    }
    assert_snapshot!(world.screen(&["ls", "--store", "postgres://db/jobs"]), @r"
    $ jobstile ls --store postgres://db/jobs
    --- to standard error
    error: --store: PostgreSQL is not in this version yet
      a file, as /var/lib/jobstile/jobstile.db, or sqlite://FILE
    [exit 2]
    ");
    assert!(!world.path().join("nowhere.db").exists(), "a command makes no store");
}

#[test]
fn a_store_that_cannot_be_used() {
    let world = World::new();
    let file = world.file();
    edit(&file, "insert into migration values (9, 'x', 0)");
    assert_snapshot!(world.screen(&["runs"]), @r"
    $ jobstile runs
    --- to standard error
    error: ./.jobstile/jobstile.db: the store was written by a newer Jobstile: schema 9, this program knows up to 2
      this is 0.1.0; upgrade it. Nothing was changed.
    [exit 69]
    ");
    assert_eq!(world.run(&["migrate"]).code(), 69);
    edit(&file, "delete from migration where version = 9; update migration set checksum = 'other'");
    assert_snapshot!(world.screen(&["runs"]), @r"
    $ jobstile runs
    --- to standard error
    error: ./.jobstile/jobstile.db: schema 1 of the store is not the one that this program knows
    [exit 69]
    ");
    edit(&file, "delete from migration");
    assert_snapshot!(world.screen(&["runs"]), @r"
    $ jobstile runs
    --- to standard error
    error: ./.jobstile/jobstile.db: no Jobstile has written this file yet
    [exit 69]
    ");

    let foreign = world.path().join("foreign.db");
    edit(&foreign, "create table song (title)");
    let before = std::fs::read(&foreign).unwrap();
    assert_snapshot!(world.screen(&["runs", "--store", "foreign.db"]), @r"
    $ jobstile runs --store foreign.db
    --- to standard error
    error: foreign.db: the file is a database of another program; nothing was changed
    [exit 69]
    ");
    assert_eq!(world.run(&["migrate", "--store", "foreign.db"]).code(), 69);
    assert!(std::fs::read(&foreign).unwrap() == before, "the file was changed");

    std::fs::write(world.path().join("text.db"), "this is not a database, however long it goes on".repeat(200))
        .unwrap();
    assert_snapshot!(world.screen(&["runs", "--store", "text.db"]), @r"
    $ jobstile runs --store text.db
    --- to standard error
    error: text.db: the file is no SQLite database: file is not a database
    [exit 69]
    ");
    std::fs::create_dir(world.path().join("folder.db")).unwrap();
    assert_eq!(world.run(&["runs", "--store", "folder.db"]).code(), 69);
}

#[test]
fn a_store_of_somebody_else() {
    let world = World::new();
    let folder = world.path().join(".jobstile");
    let me = rustix::process::geteuid();
    let mut command = world.command(&["runs"]);
    if me.is_root() {
        // As nobody, who may come as far as the folder.
        std::fs::set_permissions(world.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o750)).unwrap();
        command.uid(65_534).gid(65_534);
    } else {
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o000)).unwrap();
    }
    let output = command.stdin(Stdio::null()).limited().unwrap();
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o755)).unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(77), "{said}");
    assert!(said.contains("./.jobstile belongs to user"), "{said}");
    assert!(said.contains("sudo -u"), "{said}");
}

#[test]
fn who_works_on_it_is_said_first() {
    let mut world = World::new();
    assert_eq!(world.run(&["ls"]).err(), "", "web1 does");
    world.leave();
    assert_snapshot!(world.screen(&["runs"]), @r"
    $ jobstile runs
    --- to standard error
    no daemon works on this store: ./.jobstile/jobstile.db; web1 (pid 4711) was last seen 00m 00s ago and is gone
      start one: jobstile serve
    no runs
    [exit 0]
    ");
    // A lock file that is not there proves nothing.
    std::fs::remove_dir_all(jobstile::engine::node_dir(&world.file())).unwrap();
    let said = world.run(&["runs"]).err();
    assert!(said.starts_with("whether web1 lives is not known"), "{said}");
}

struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = jobstile_child::wait(&mut self.0, LIMIT);
    }
}

/// A daemon on a store of its own elsewhere, found by its pointer in the runtime folder of this world.
fn elsewhere(world: &World, folder: &str) -> Daemon {
    let home = world.path().join(folder);
    std::fs::create_dir_all(&home).unwrap();
    std::fs::create_dir_all(world.path().join("jobstile")).unwrap();
    std::fs::write(home.join("jobstile.toml"), "[jobs.tick]\nevery = \"1h\"\ncommand = [\"true\"]\n").unwrap();
    let mut serve = world.command(&["serve"]);
    let daemon = Daemon(serve.current_dir(home).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    let pointers = || {
        std::fs::read_dir(world.path().join("jobstile"))
            .unwrap()
            .flatten()
            .filter_map(|one| std::fs::read_to_string(one.path()).ok().filter(|text| text.contains(folder)))
            .count()
    };
    for _ in 0..6_000 {
        if pointers() > 0 {
            return daemon;
        }
        clock::block(Duration::from_millis(10));
    }
    panic!("the daemon left no pointer");
}

#[test]
fn a_daemon_elsewhere_is_named_and_followed_where_nothing_else_is_said() {
    let mut world = World::new();
    world.leave();
    let one = elsewhere(&world, "first");
    // Here is a configuration: its store is meant, and those of strangers are no help.
    let said = world.run(&["ls"]).err();
    assert!(
        said.contains("no daemon works on this store") && said.ends_with("\n  start one: jobstile serve\n"),
        "{said}"
    );
    assert_eq!(said.lines().count(), 2, "{said}");
    let said = world.run(&["ls", "--store", "nowhere.db"]).err();
    assert!(said.contains("start one: jobstile serve --store nowhere.db") && !said.contains("first/"), "{said}");
    // Nothing is said about a store, and one daemon lives: that one.
    let nowhere = world.path().join("empty");
    std::fs::create_dir(&nowhere).unwrap();
    let ls = |world: &World| world.command(&["ls"]).current_dir(&nowhere).stdin(Stdio::null()).limited().unwrap();
    let found = ls(&world);
    assert_eq!(found.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&found.stdout).contains("tick"));
    // Of two it does not choose.
    let two = elsewhere(&world, "second");
    let found = ls(&world);
    let said = String::from_utf8_lossy(&found.stderr).into_owned();
    assert_eq!(found.status.code(), Some(2), "{said}");
    assert!(said.contains("several daemons live here: which store?") && said.contains("second/.jobstile"), "{said}");
    // A killed one is not believed, whatever it left behind.
    drop((one, two));
    assert_eq!(ls(&world).status.code(), Some(3));
}

#[test]
fn a_command_that_was_told_its_store_reads_no_file() {
    let world = World::new();
    let store = world.file();
    std::fs::write(world.path().join("jobstile.toml"), "[jobs.backup\n").unwrap();
    assert_eq!(world.run(&["ls"]).code(), 78);
    let told = world.run(&["ls", "--store", store.to_str().unwrap()]);
    assert_eq!(told.code(), 0, "{}", told.err());
    let told = world.command(&["pause", "backup"]).env("JOBSTILE_STORE", &store).limited().unwrap();
    assert_eq!(told.status.code(), Some(0));
}

#[test]
fn a_typo_is_found_before_the_first_start() {
    let world = World::new();
    let config = "[jobs.backup]\nshell = \"true\"\n";
    std::fs::write(world.path().join("new.toml"), config).unwrap();
    assert_snapshot!(world.screen(&["trigger", "bakup", "--config", "new.toml"]), @r"
    $ jobstile trigger bakup --config new.toml
    --- to standard error
    error: no job `bakup` in new.toml; did you mean backup?
      its jobs: jobstile check
    [exit 3]
    ");
    assert_snapshot!(world.screen(&["trigger", "backup", "--config", "new.toml"]), @r"
    $ jobstile trigger backup --config new.toml
    --- to standard error
    error: no daemon has ever worked on this store: .jobstile/new.db (not there yet)
      start one: jobstile serve --config new.toml      another store: --store FILE
    [exit 3]
    ");
}

#[test]
fn before_a_first_start_the_file_answers_and_makes_no_store() {
    let world = World::new();
    let config = "[jobs.backup]\nevery = \"1h\"\nshell = \"true\"\n[jobs.sync]\nevery = \"10m\"\nenabled = false\nshell = \"true\"\n";
    std::fs::write(world.path().join("new.toml"), config).unwrap();
    for (args, says) in [
        (&["ls", "--config", "new.toml"][..], "backup"),
        (&["next", "--config", "new.toml"], "backup"),
        (&["show", "sync", "--config", "new.toml"], "every"),
    ] {
        let screen = world.screen(args);
        let first =
            "no daemon has ever worked on this store: .jobstile/new.db (not there yet); this is what new.toml says";
        assert!(screen.contains(first) && screen.contains("start one: jobstile serve --config new.toml"), "{screen}");
        assert!(screen.contains(says) && screen.contains("[exit 0]"), "{screen}");
    }
    let screen = world.screen(&["show", "bakup", "--config", "new.toml"]);
    assert!(screen.contains("no job `bakup` in new.toml; did you mean backup?"), "{screen}");
    assert!(!world.path().join(".jobstile/new.db").exists());
}

#[test]
fn what_a_run_prints_is_followed_to_its_end() {
    let world = World::new();
    let home = world.path().join("follow");
    std::fs::create_dir_all(&home).unwrap();
    let config = "[jobs.slow]\nattempts = 2\nbackoff = { delay = \"100ms\" }\nshell = 'echo begin; sleep 0.5; printf end; exit 3'\n";
    std::fs::write(home.join("jobstile.toml"), config).unwrap();
    let in_home = |line: &[&str]| {
        let mut command = world.command(line);
        command.current_dir(&home);
        command
    };
    let _daemon = Daemon(in_home(&["serve"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    for _ in 0..6_000 {
        if in_home(&["runs", "slow"]).limited().unwrap().status.success() {
            break;
        }
        clock::block(Duration::from_millis(10));
    }
    let triggered = in_home(&["trigger", "slow"]).limited().unwrap();
    assert_eq!(triggered.status.code(), Some(0));
    let followed = in_home(&["logs", "slow", "-f"]).limited().unwrap();
    let said = String::from_utf8(followed.stderr).unwrap();
    assert_eq!(String::from_utf8(followed.stdout).unwrap(), "begin\nend\nbegin\nend\n", "{said}");
    assert!(said.contains("run 1 of slow, attempt 2 of 2"), "{said}");
    assert!(said.ends_with("run 1 dead: attempts_used_up\n"), "{said}");
    let waited = in_home(&["trigger", "slow", "--wait=60s"]).limited().unwrap();
    assert_eq!(waited.status.code(), Some(3));
}
