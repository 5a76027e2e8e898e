//! Pictures of the page for the documents: a daemon with a day's work in it, light and dark, on a phone, in Chinese.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use rustix::process::Signal;
use serde_json::json;

use super::page::row;
use super::{Browser, BrowserWindow};
use crate::daemon::Daemon;
use crate::implementation::Implementation;
use crate::test_dir::TestDir;
use crate::wait::pause;
use crate::web_server::closed_port;

/// A shop: two web servers, a worker that crashes, an import that grows, a backup that waits, a mailer that cannot start,
/// and three listeners.
const SHOP: &str = r#"[program:web]
command=sh -c 'n=0; while sleep 0.3; do n=$((n+1)); echo "10.0.0.$((n %% 7 + 1)) GET /basket/$n 200 $((n * 37 %% 90 + 8)) ms"; done'
process_name=web_%(process_num)d
numprocs=2
stdout_logfile={dir}/%(program_name)s_%(process_num)d.log
[program:worker]
command=sh {dir}/worker.sh
startsecs=1
stderr_logfile={dir}/worker.err
[program:import]
command=python3 -c "import time; hold = []; exec('while len(hold) < 300: hold.append(bytearray(1 << 20)); time.sleep(0.4)'); time.sleep(1000)"
[program:backup]
command=sleep 1000
autostart=false
[program:newsletter]
command=/opt/shop/bin/newsletter --send
startretries=0
[group:shop]
programs=web,worker
[eventlistener:crashmail]
command=crashmail -a -s cat -m ops@example.com
events=PROCESS_STATE_EXITED
[eventlistener:memmon]
command=memmon -s cat -p import=2GB -m ops@example.com
events=TICK_60
[eventlistener:httpok]
command=httpok -s cat -p backup -m ops@example.com http://127.0.0.1:9/
events=TICK_60
"#;

/// Runs a few seconds, then ends as a bad day does.
const WORKER: &str = "echo 'worker: 12 orders in the queue'\nsleep 3\n\
    echo 'Traceback (most recent call last):' >&2\necho '  File \"worker.py\", line 41, in charge' >&2\n\
    echo 'ConnectionError: payments.example.com:443: connection refused' >&2\nexit 1\n";

/// The wait before the first picture, for lines in the small graphs.
const LOOK: Duration = Duration::from_secs(120);

/// How much of a page is in its picture.
#[derive(Clone, Copy)]
enum Part {
    /// What a screen shows at once, which is also what a document has room for.
    Top,
    /// All of it, up to some length.
    Whole,
}

/// A picture: its name, what the visitor prefers, the page, its width in CSS pixels, and how much of it.
type Picture = (&'static str, &'static str, &'static str, u32, Part);

/// The first ones are of one page that was looked at for a while.
const PICTURES: [Picture; 9] = [
    ("page-light", "light", "/", 1280, Part::Top),
    ("page-dark", "dark", "/", 1280, Part::Top),
    ("page-phone", "light", "/", 390, Part::Whole),
    ("page-phone-dark-chinese", "dark", "/?lang=zh", 390, Part::Whole),
    ("page-chinese", "light", "/?lang=zh", 1280, Part::Top),
    ("log-light", "light", "/tail.html?processname=shop:web_0", 1280, Part::Top),
    ("log-phone-dark", "dark", "/tail.html?processname=shop:web_0", 390, Part::Whole),
    ("program-light", "light", "/program.html?processname=shop:worker", 1280, Part::Top),
    ("program-phone-dark", "dark", "/program.html?processname=shop:worker", 390, Part::Whole),
];

/// The height of a screen, and the most of a page, in CSS pixels.
const SCREEN: u32 = 740;
const LONGEST: u32 = 2400;

/// What is narrower, in CSS pixels, is a phone.
const PHONE: u32 = 600;

/// Takes all the pictures into the folder, which is made where it is missing. It takes two minutes.
///
/// # Errors
/// Where the daemon or the browser does not start, or a picture cannot be written.
pub fn take(folder: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let (dir, port) = (TestDir::new()?, closed_port()?);
    dir.write("worker.sh", WORKER)?;
    let server = format!("[inet_http_server]\nport=127.0.0.1:{port}\n");
    let daemon = Daemon::start(&dir, Implementation::Ours, &format!("{server}{SHOP}"))?;
    let browser = Browser::start()?;
    browser.visit(|window| {
        let mut shown = "";
        for (name, scheme, path, width, part) in PICTURES {
            window.prefer_colours(scheme)?;
            resize(window, width, SCREEN)?;
            if shown != path {
                window.go(&format!("http://127.0.0.1:{port}{path}"))?;
                window.wait_attribute("html", "data-live", "on")?;
            }
            if shown.is_empty() {
                busy(&daemon, window)?;
            }
            shown = path;
            if let Part::Whole = part {
                let height = window.value("document.scrollingElement.scrollHeight")?.as_u64();
                let height = u32::try_from(height.context("cannot tell the height")?).unwrap_or(LONGEST);
                resize(window, width, height.min(LONGEST))?;
            }
            let file = folder.join(format!("{name}.png"));
            fs::write(&file, window.picture()?)
                .with_context(|| format!("cannot write {}", file.display()))?;
        }
        Ok(())
    })
}

/// Looks on until there is something to be seen, with an accident in between.
fn busy(daemon: &Daemon, window: &BrowserWindow) -> anyhow::Result<()> {
    pause(LOOK - LOOK / 4);
    daemon.hit("shop:web_1", Signal::KILL)?;
    pause(LOOK / 4);
    for process in ["shop:web_1", "shop:worker"] {
        window.wait_attribute(&row(process), "data-state", "RUNNING")?;
    }
    Ok(())
}

fn resize(window: &BrowserWindow, width: u32, height: u32) -> anyhow::Result<()> {
    // They move things, and say nothing in a picture.
    window.devtools("Emulation.setScrollbarsHidden", &json!({"hidden": true}))?;
    if width < PHONE { window.be_phone(width, height) } else { window.be_screen(width, height) }
}
