//! `[fcgi-program:x]`: processes that share a socket.

use std::collections::BTreeMap;
use std::path::PathBuf;

use ironlance_core::{GroupName, text::python};

use crate::account::Account;
use crate::expansion::ExpansionNames;
use crate::group::{FcgiSocket, Group, GroupKind, SocketAddress, SocketOwner};
use crate::ini::Section;
use crate::loader::context::{LoadContext, SectionScope};
use crate::path::normalize;
use crate::section::process;
use crate::section::program::group_name;
use crate::value::{self, InvalidValue};

/// The keys that the section knows beside those of a program.
pub(crate) const KEYS: [&str; 4] = ["socket", "socket_backlog", "socket_owner", "socket_mode"];

/// The default permissions of a unix socket.
const DEFAULT_MODE: u32 = 0o700;

/// The group.
pub(crate) fn read<'a>(
    context: &mut LoadContext<'a>,
    section: &'a Section,
    shared: &BTreeMap<String, String>,
) -> Group {
    let mut scope = SectionScope::new(section, ExpansionNames::default().with("here", context.here));
    let name = group_name(context, &scope);
    let priority = context.or(&scope, "priority", 999, value::integer);
    let accounts = context.accounts;
    let user = context.optional(&scope, "user", |text| value::user(text, accounts));
    let backlog = context.optional(&scope, "socket_backlog", backlog);
    let owner = context.optional(&scope, "socket_owner", |text| {
        value::owner(text, accounts)
            .map_err(|bad| InvalidValue { original: format!("Invalid socket_owner value {text}"), ..bad })
    });
    let mode = context.optional(&scope, "socket_mode", |text| {
        value::mode(text)
            .map_err(|bad| InvalidValue { original: format!("Invalid socket_mode value {text}"), ..bad })
    });
    scope.names = scope.names.with("program_name", &name);
    let socket = socket(context, &scope, user, &Wishes { owner, mode, backlog });
    let programs = process::read(context, section, &name, shared);
    // Without a socket there is a fault, and nothing of this is used.
    let kind = socket.map_or(GroupKind::Programs, GroupKind::FastCgi);
    Group { name: GroupName(name), priority, programs, kind, built_in: false }
}

fn backlog(text: &str) -> Result<u32, InvalidValue> {
    let number = value::integer(text)?;
    let length = u32::try_from(number).ok().filter(|length| (1..=65535).contains(length));
    length.ok_or_else(|| {
        InvalidValue::new(
            "use as a backlog (1 to 65535)",
            text,
            format!("Invalid socket_backlog value {number}"),
        )
    })
}

struct Wishes {
    owner: Option<SocketOwner>,
    mode: Option<u32>,
    backlog: Option<u32>,
}

fn socket<'a>(
    context: &mut LoadContext<'a>,
    scope: &SectionScope<'a>,
    user: Option<Account>,
    wishes: &Wishes,
) -> Option<FcgiSocket> {
    let section = &scope.section.name;
    let text = context.text(scope, "socket").ok()?.unwrap_or_default();
    if text.is_empty() {
        let original = format!("[{section}] section requires a \"socket\" line");
        context.refuse(
            scope,
            "socket",
            InvalidValue { what: "cannot run without a socket".to_owned(), original },
        );
        return None;
    }
    let machine = context.host;
    let found = match text.strip_prefix("unix://") {
        Some(path) => unix(path, wishes).map(|mode| {
            let path = normalize(path, machine);
            let other = user.filter(|user| user.uid != machine.uid);
            let theirs = other.map(|user| SocketOwner { uid: Some(user.uid), gid: Some(user.gid) });
            let url = format!("unix://{}", path.display());
            let address = SocketAddress::Unix { path, owner: wishes.owner.or(theirs), mode: Some(mode) };
            FcgiSocket { url, address, backlog: wishes.backlog }
        }),
        None => tcp(&text, wishes),
    };
    match found {
        Ok(socket) => Some(socket),
        Err(bad) => {
            let original = format!("{} in [{section}] socket", bad.original);
            context.refuse(scope, "socket", InvalidValue { original, ..bad });
            None
        }
    }
}

/// The permissions of a unix socket.
fn unix(path: &str, wishes: &Wishes) -> Result<u32, InvalidValue> {
    if PathBuf::from(path).is_absolute() {
        return Ok(wishes.mode.unwrap_or(DEFAULT_MODE));
    }
    // The original gives two arguments to its exception, and shows both as a tuple.
    let original = format!("('Unix socket path %s is not an absolute path', {})", python::repr(path));
    Err(InvalidValue::new("use a relative path for a socket", path, original))
}

fn tcp(text: &str, wishes: &Wishes) -> Result<FcgiSocket, InvalidValue> {
    if wishes.owner.is_some() || wishes.mode.is_some() {
        let original = "socket_owner and socket_mode params should only be used with a Unix domain socket";
        return Err(InvalidValue::new("give an owner or a mode to a TCP socket", text, original));
    }
    let refuse = || {
        let original = format!("('Bad socket format %s', {})", python::repr(text));
        InvalidValue::new("read as unix:///PATH or tcp://HOST:PORT", text, original)
    };
    let (host, digits) =
        text.strip_prefix("tcp://").and_then(|rest| rest.split_once(':')).ok_or_else(refuse)?;
    let is_host = !host.is_empty() && !host.contains(crate::ini::is_space);
    if !is_host || digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(refuse());
    }
    let port = value::port(digits)?;
    let host = host.to_lowercase();
    let url = format!("tcp://{host}:{port}");
    Ok(FcgiSocket { url, address: SocketAddress::Tcp { host, port }, backlog: wishes.backlog })
}
