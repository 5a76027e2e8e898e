//! The two programs of the demo that no shell can play: a web page that hangs, and one that hoards memory.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

/// The argument that makes `ironlance demo` one of these programs.
pub(super) const FLAG: &str = "--play";
/// A request's head is not longer; whoever sends more is not listened to.
const MAX_HEAD: u64 = 16 * 1024;
/// A megabyte that is written to, so that it is there.
const MEGABYTE: usize = 1 << 20;
/// Six megabytes a second, about.
const MEGABYTE_INTERVAL: Duration = Duration::from_millis(160);

/// Plays the part that the arguments after [`FLAG`] name: `shop PORT` or `leaky`.
pub(super) fn run(args: &[String]) -> ExitCode {
    let played = match args {
        [part, port] if part == "shop" => match port.parse() {
            Ok(port) => shop(port),
            Err(error) => Err(io::Error::other(format!("cannot take {port:?} for a port: {error}"))),
        },
        [part] if part == "leaky" => leaky(),
        _ => Err(io::Error::other(format!("cannot play {args:?}"))),
    };
    match played {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "ironlance demo: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Answers the first request, and never again.
fn shop(port: u16) -> io::Result<()> {
    let door = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    say(&mut io::stdout(), &format!("shop: open on port {port}"))?;
    let (customer, _) = door.accept()?;
    // A customer who hangs up costs nothing.
    let _ = serve(&customer);
    drop(customer);
    // Whoever comes next is let in and not served: the connection stays open.
    let _next = door.accept()?;
    say(&mut io::stderr(), "shop: waiting for a lock that nobody releases")?;
    loop {
        thread::park();
    }
}

fn serve(mut customer: &TcpStream) -> io::Result<()> {
    let mut head = BufReader::new(customer.take(MAX_HEAD));
    let mut line = String::new();
    while head.read_line(&mut line)? > 2 {
        line.clear();
    }
    customer.write_all(b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nwelcome\n")
}

/// Keeps more and more, until somebody stops it.
fn leaky() -> io::Result<()> {
    let mut hoard = Vec::new();
    loop {
        hoard.push(vec![b'x'; MEGABYTE]);
        if hoard.len() % 10 == 0 {
            say(&mut io::stdout(), &format!("leaky: keeping {} MB, just in case", hoard.len()))?;
        }
        let next = Instant::now() + MEGABYTE_INTERVAL;
        while let Some(left) = next.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
            thread::park_timeout(left);
        }
    }
}

/// A whole line at once.
fn say(out: &mut impl Write, text: &str) -> io::Result<()> {
    writeln!(out, "{text}")?;
    out.flush()
}
