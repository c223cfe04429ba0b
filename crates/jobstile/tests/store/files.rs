//! One file, one name: everybody looks at the same file, log and index, or nothing is written.

use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use jobstile::Kind;
use jobstile::client::Client;
use jobstile::op::Op;
use jobstile::store::sqlite::{OpenAs, Store, resolve};

use crate::world::{World, free, trigger};

fn is_refused(path: &Path, open_as: OpenAs) -> (Kind, String) {
    let error = Store::open(path, open_as).map(drop).expect_err("it is refused");
    (error.kind(), error.to_string())
}

#[test]
fn nothing_is_written_under_an_index_that_the_others_do_not_see() {
    for file in ["s.db-shm", "s.db-wal"] {
        for replaced in [false, true] {
            let mut world = World::new(vec![("a", free())]);
            world.trigger("a");
            let beside = world.dir.path().join(file);
            let copy = std::fs::read(&beside).unwrap();
            std::fs::remove_file(&beside).unwrap();
            if replaced {
                std::fs::write(&beside, copy).unwrap();
            }
            // Whoever comes later looks at another one, and notices before it writes.
            for open_as in [OpenAs::Guest, OpenAs::Owner] {
                let (kind, why) = is_refused(&world.path(), open_as);
                assert_eq!(kind, Kind::Replaced, "{file} {why}");
            }
            // So does whoever had it open.
            let late = world.try_op(Op::Trigger(trigger("a"))).expect_err("it is refused");
            assert_eq!(late.kind(), Kind::Replaced, "{file}");
            // When everybody has left, the store is as good as its files.
            drop(std::mem::replace(&mut world.store, Store::in_memory().unwrap()));
            Store::open(&world.path(), OpenAs::Owner).unwrap();
        }
    }
}

#[test]
fn turns_that_others_cannot_see_are_none() {
    let mut world = World::new(vec![("a", free())]);
    world.trigger("a");
    std::fs::remove_file(world.dir.path().join("s.db-write")).unwrap();
    let other = Store::open(&world.path(), OpenAs::Guest).unwrap();
    assert_eq!(world.try_op(Op::Trigger(trigger("a"))).expect_err("it is refused").kind(), Kind::Replaced);
    drop(other);
}

#[test]
fn a_store_is_the_same_one_under_every_link_to_it() {
    let mut world = World::new(vec![("a", free())]);
    let links = tempfile::tempdir().unwrap();
    symlink(world.path(), links.path().join("file.db")).unwrap();
    symlink(world.dir.path(), links.path().join("folder")).unwrap();
    let name = resolve(&world.path()).unwrap();
    for link in ["file.db", "folder/s.db", "folder/./s.db"] {
        let link = links.path().join(link);
        assert_eq!(resolve(&link).unwrap(), name);
        let other = Store::open(&link, OpenAs::Owner).unwrap();
        assert_eq!(other.path(), Some(&*name));
        assert_eq!(Client::open(&link).unwrap().path(), name);
        world.trigger("a");
    }
    assert_eq!(std::fs::read_dir(links.path()).unwrap().count(), 2, "nothing lies beside the links");
    // One that is yet to be made, in a folder behind a link.
    assert_eq!(resolve(&links.path().join("folder/new.db")).unwrap(), name.with_file_name("new.db"));
}

#[test]
fn a_store_with_two_names_is_refused() {
    let world = World::new(vec![("a", free())]);
    let second = world.dir.path().join("second.db");
    std::fs::hard_link(world.path(), &second).unwrap();
    for path in [&world.path(), &second] {
        for open_as in [OpenAs::Owner, OpenAs::Guest] {
            let (_, why) = is_refused(path, open_as);
            assert!(why.contains("has 2 names (hard links)"), "{why}");
        }
        assert!(Client::open(path).map(drop).unwrap_err().to_string().contains("hard links"));
    }
    std::fs::remove_file(&second).unwrap();
    Store::open(&world.path(), OpenAs::Owner).unwrap();
}

#[test]
fn a_path_that_is_too_long_for_sqlite_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let base = std::fs::canonicalize(dir.path()).unwrap();
    let folder = base.join("x".repeat(200)).join("y".repeat(200));
    std::fs::create_dir_all(&folder).unwrap();
    let room = 504 - folder.as_os_str().as_bytes().len() - 1;
    let longest = folder.join("s".repeat(room));
    Store::open(&longest, OpenAs::Owner).unwrap();
    let n = std::fs::read_dir(&folder).unwrap().count();
    let longer = folder.join("t".repeat(room + 1));
    let (kind, why) = is_refused(&longer, OpenAs::Owner);
    assert_eq!(kind, Kind::Invalid);
    assert!(why.contains("has 505 bytes, and SQLite takes at most 504"), "{why}");
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), n, "no file is left");
}

#[test]
fn a_folder_that_is_made_for_a_store_is_not_for_everybody() {
    let dir = tempfile::tempdir().unwrap();
    // The umask is the process's: this test sees what it allows, and what it never may.
    Store::open(&dir.path().join("new/deeper/s.db"), OpenAs::Owner).unwrap();
    for folder in ["new", "new/deeper"] {
        let mode = std::fs::metadata(dir.path().join(folder)).unwrap().permissions().mode();
        assert_eq!(mode & 0o007, 0, "{folder}: {mode:o}");
    }
}
