//! The program on a terminal of a chosen size: a pseudo-terminal, and what stands on it.

use std::process::Stdio;

use jobstile_child::Limited as _;

use crate::world::{World, without_times};

/// Runs its arguments on a terminal of so many columns and rows. Once so much was printed as marks a whole screen, it
/// presses a key, sends a signal or closes the terminal, and waits for the end. Prints the exit code and then what came, as it came.
const SCRIPT: &str = r#"
import fcntl, os, pty, select, signal, struct, sys, termios, time
columns, rows, until, act = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3].encode(), sys.argv[4]
master, slave = pty.openpty()
fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack('HHHH', rows, columns, 0, 0))
before = termios.tcgetattr(slave)
child = os.fork()
if child == 0:
    os.setsid()
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    for fd in (0, 1, 2):
        os.dup2(slave, fd)
    os.execv(sys.argv[5], sys.argv[5:])
came, end, acted = b'', time.monotonic() + 20, not act
while time.monotonic() < end:
    if act == 'CLOSE' and acted:
        time.sleep(0.05)
        if os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            break
    elif select.select([master], [], [], 0.05)[0]:
        came += os.read(master, 65536)
    elif os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT):
        break
    if not acted and until in came:
        acted = True
        if act == 'CLOSE':
            os.close(slave)
            os.close(master)
        elif act.startswith('SIG'):
            os.kill(child, getattr(signal, act))
        else:
            os.write(master, act.encode())
else:
    os.kill(child, signal.SIGKILL)
code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
same = act != 'CLOSE' and termios.tcgetattr(slave)[:4] == before[:4]
sys.stdout.buffer.write(b'%d %d\n' % (code, same) + came)
"#;

/// What a program left on a terminal.
pub(crate) struct Terminal {
    pub(crate) code: i32,
    /// The terminal's modes are what they were.
    pub(crate) same_modes: bool,
    pub(crate) bytes: String,
}

/// Runs it. What stays on the screen until somebody acts is ended by keys, a signal's name or CLOSE; `word=` before that: once
/// the word was drawn.
pub(crate) fn on_terminal(world: &World, (columns, rows): (u16, u16), line: &[&str], act: &str) -> Terminal {
    let like = world.command(line);
    let (until, act) = act.split_once('=').unwrap_or(("q to leave", act));
    let mut command = std::process::Command::new("python3");
    command.args(["-c", SCRIPT, &columns.to_string(), &rows.to_string(), until, act]);
    command.arg(like.get_program()).args(like.get_args());
    command.env_clear().with_bug().envs(like.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.env("NO_COLOR", "1").env("TERM", "xterm").current_dir(world.path()).stdin(Stdio::null());
    let done = command.limited().unwrap();
    let out = String::from_utf8(done.stdout).unwrap();
    let Some((first, bytes)) = out.split_once('\n') else { panic!("{}", String::from_utf8_lossy(&done.stderr)) };
    let (code, same) = first.split_once(' ').unwrap();
    Terminal { code: code.parse().unwrap(), same_modes: same == "1", bytes: bytes.to_owned() }
}

impl Terminal {
    /// The lines of the first screen that was drawn, or what was printed; times without their digits.
    pub(crate) fn lines(&self, world: &World) -> Vec<String> {
        let drawn = self.bytes.split("\x1b[1;1H").nth(1).unwrap_or(&self.bytes);
        let drawn = drawn.split("q to leave").next().unwrap_or_default();
        let text = plain(&drawn.replace("\x1b[1E", "\n"));
        let text = text.replace(&world.path().display().to_string(), "FOLDER");
        text.lines().map(|line| without_times(line.trim_end())).collect()
    }
}

// Without what moves and colours.
fn plain(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            // A sequence ends with its first letter.
            '\x1b' => drop(chars.by_ref().find(char::is_ascii_alphabetic)),
            '\r' => {}
            c => out.push(c),
        }
    }
    out
}
