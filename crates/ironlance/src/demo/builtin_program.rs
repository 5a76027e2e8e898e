//! The two programs of the demo that are no shell scripts: a web server that hangs, and a memory leak. Started by the
//! demo's supervisord as `ironlance demo --play …`.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

/// The argument that makes `ironlance demo` one of these programs.
pub(super) const FLAG: &str = "--play";
/// Maximum length of a request's head; the rest is not read.
const MAX_HEAD: u64 = 16 * 1024;
/// Bytes that are allocated and written at a time, so that they are resident.
const MEGABYTE: usize = 1 << 20;
/// Interval of the allocations: about six megabytes a second.
const MEGABYTE_INTERVAL: Duration = Duration::from_millis(160);

/// Runs the program that the arguments after [`FLAG`] name: `shop PORT` or `leaky`.
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

/// Answers the first request only.
fn shop(port: u16) -> io::Result<()> {
    let door = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    say(&mut io::stdout(), &format!("shop: open on port {port}"))?;
    let (customer, _) = door.accept()?;
    // A client that closes the connection is ignored.
    let _ = serve(&customer);
    drop(customer);
    // The next connection is accepted and not served, and stays open.
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

/// Allocates more and more memory until it is stopped.
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

/// Writes a line and flushes.
fn say(out: &mut impl Write, text: &str) -> io::Result<()> {
    writeln!(out, "{text}")?;
    out.flush()
}
