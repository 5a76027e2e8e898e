//! What `--help` says, taken apart again: the one place where options are written is the command itself.
//!
//! Three forms are known: those of our tables, of supervisord and supervisorctl (the original's), and of clap.

/// A help text in its parts.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Help {
    /// What stands behind `usage:`, a line each.
    pub(crate) usage: Vec<String>,
    /// The rest, in its order.
    pub(crate) parts: Vec<Part>,
}

/// What stands under a title, or between two of them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Part {
    /// Without its colon; empty where there is none.
    pub(crate) title: String,
    /// In their order.
    pub(crate) blocks: Vec<Block>,
}

/// A piece of help.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Block {
    /// A paragraph, in one line.
    Text(String),
    /// Lines to be left as they are.
    Code(Vec<String>),
    /// An option, an argument or a subcommand.
    Entry(Entry),
}

/// An option, an argument or a subcommand, and what it is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Entry {
    /// As it is written: `-c, --configuration FILENAME`.
    pub(crate) term: String,
    /// What it does, in one line.
    pub(crate) text: String,
}

/// An option's names.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Names {
    /// `c`
    pub(crate) short: Option<char>,
    /// `configuration`
    pub(crate) long: Option<String>,
    /// What it takes: `FILENAME`; empty for nothing. An optional number counts as nothing.
    pub(crate) value: String,
}

impl Help {
    /// Takes a text apart; what is not understood is a paragraph.
    pub(crate) fn parse(text: &str) -> Self {
        let mut reader = Reader::default();
        let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
        for (at, line) in lines.iter().enumerate() {
            reader.take(line, lines.get(at + 1).copied().unwrap_or_default());
        }
        reader.help.parts.retain(|part| !part.blocks.is_empty());
        reader.help
    }

    /// Every option, in the text's order.
    pub(crate) fn options(&self) -> Vec<(Names, &Entry)> {
        let entries = self.parts.iter().flat_map(|part| &part.blocks).filter_map(|block| match block {
            Block::Entry(entry) => Some(entry),
            Block::Text(_) | Block::Code(_) => None,
        });
        entries.filter(|entry| entry.term.starts_with('-')).map(|entry| (entry.names(), entry)).collect()
    }

    /// What stands under a title.
    pub(crate) fn part(&self, title: &str) -> impl Iterator<Item = &Entry> {
        let parts = self.parts.iter().filter(move |part| part.title.eq_ignore_ascii_case(title));
        parts.flat_map(|part| &part.blocks).filter_map(|block| match block {
            Block::Entry(entry) => Some(entry),
            Block::Text(_) | Block::Code(_) => None,
        })
    }
}

impl Part {
    /// Takes the first paragraph away and gives it.
    pub(crate) fn take_text(&mut self) -> Option<String> {
        let at = self.blocks.iter().position(|block| matches!(block, Block::Text(_)))?;
        match self.blocks.remove(at) {
            Block::Text(text) => Some(text),
            Block::Code(_) | Block::Entry(_) => None,
        }
    }
}

impl Entry {
    /// The names in the term of an option.
    pub(crate) fn names(&self) -> Names {
        let mut names = Names::default();
        for word in self.term.split([' ', ',', '/', '=']).filter(|word| !word.is_empty()) {
            let (name, optional) = match word.split_once('[') {
                Some((name, _)) if !name.is_empty() => (name, true),
                _ => (word, false),
            };
            match (name.strip_prefix("--"), name.strip_prefix('-').map(str::chars)) {
                (Some(long), _) => names.long = Some(long.to_owned()),
                (None, Some(mut short)) => names.short = short.next(),
                (None, None) => {
                    names.value = name.to_owned();
                    break;
                }
            }
            if optional {
                break;
            }
        }
        names
    }
}

/// Takes a help text line by line.
#[derive(Default)]
struct Reader {
    help: Help,
    open: Open,
}

/// What the next line may go on with.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Open {
    #[default]
    Nothing,
    Usage,
    Text,
    Code,
    /// An entry whose term is indented so far.
    Entry(usize),
}

impl Reader {
    fn take(&mut self, line: &str, next: &str) {
        let words = line.trim_start();
        let indent = line.len() - words.len();
        if words.is_empty() {
            // What is indented deeper still belongs to an entry after an empty line.
            if !matches!(self.open, Open::Entry(_)) {
                self.open = Open::Nothing;
            }
            return;
        }
        match self.open {
            Open::Usage if indent > 0 => return self.help.usage.push(words.to_owned()),
            Open::Entry(depth) if indent > depth + 2 && !is_option(words, indent) => {
                return self.go_on(words);
            }
            Open::Nothing | Open::Usage | Open::Text | Open::Code | Open::Entry(_) => {}
        }
        if let Some(usage) = usage(line) {
            self.help.usage.extend(Some(usage.to_owned()).filter(|usage| !usage.is_empty()));
            self.open = Open::Usage;
        } else if let Some(title) = title(line, next) {
            self.help.parts.push(Part { title: title.to_owned(), blocks: Vec::new() });
            self.open = Open::Nothing;
        } else if is_option(words, indent) || (indent == 2 && self.lists()) {
            self.push(Block::Entry(entry(words)), Open::Entry(indent));
        } else if indent > 0 {
            self.code(line);
        } else if self.open == Open::Text {
            self.go_on(words);
        } else {
            // A paragraph at the margin belongs to no list.
            if self.part().blocks.iter().any(|block| matches!(block, Block::Entry(_))) {
                self.help.parts.push(Part::default());
            }
            self.push(Block::Text(words.to_owned()), Open::Text);
        }
    }

    /// Whether what is indented under this title is a list and no example.
    fn lists(&self) -> bool {
        let title = self.help.parts.last().map_or("", |part| part.title.as_str());
        !title.is_empty() && !title.starts_with("example")
    }

    fn part(&mut self) -> &mut Part {
        if self.help.parts.is_empty() {
            self.help.parts.push(Part::default());
        }
        let last = self.help.parts.len() - 1;
        &mut self.help.parts[last]
    }

    fn push(&mut self, block: Block, open: Open) {
        self.part().blocks.push(block);
        self.open = open;
    }

    /// Appends to the last block.
    fn go_on(&mut self, words: &str) {
        let text = match self.part().blocks.last_mut() {
            Some(Block::Text(text) | Block::Entry(Entry { text, .. })) => text,
            Some(Block::Code(_)) | None => return,
        };
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(words);
    }

    fn code(&mut self, line: &str) {
        let open = self.open;
        self.open = Open::Code;
        match self.part().blocks.last_mut() {
            Some(Block::Code(lines)) if open == Open::Code => lines.push(line.to_owned()),
            _ => self.push(Block::Code(vec![line.to_owned()]), Open::Code),
        }
    }
}

/// An option without a letter is indented by the room for one.
fn is_option(words: &str, indent: usize) -> bool {
    words.starts_with('-') && indent <= 6
}

fn usage(line: &str) -> Option<&str> {
    line.strip_prefix("usage:").or_else(|| line.strip_prefix("Usage:")).map(str::trim)
}

/// A title stands at the margin and ends with a colon, and a list follows.
fn title<'l>(line: &'l str, next: &str) -> Option<&'l str> {
    let title = line.strip_suffix(':')?;
    let plain = !title.starts_with([' ', '-']) && title.len() < 40;
    (plain && next.starts_with([' ', '-'])).then_some(title)
}

fn entry(words: &str) -> Entry {
    let divided = words.split_once(" -- ").or_else(|| words.split_once("  "));
    let (term, text) = divided.unwrap_or((words, ""));
    Entry { term: term.trim_end().to_owned(), text: text.trim_start().to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entries(part: &Part) -> Vec<(&str, &str)> {
        part.blocks
            .iter()
            .filter_map(|block| match block {
                Block::Entry(entry) => Some((entry.term.as_str(), entry.text.as_str())),
                Block::Text(_) | Block::Code(_) => None,
            })
            .collect()
    }

    #[test]
    fn the_help_of_our_tables_is_understood() {
        let text = "usage: httpok [options] URL\n\nAn event listener:\nfetches URL.\n\nas in superlance:\n  -h, --help                  show \
                    this\n  -g, --group G               it\n      --retries N             act after N\n                              failures\n\nexample:\n  \
                    httpok \\\n    http://x\n";
        let help = Help::parse(text);
        assert_eq!(help.usage, ["httpok [options] URL"]);
        assert_eq!(help.parts[0].blocks, [Block::Text("An event listener: fetches URL.".into())]);
        assert_eq!(help.parts[1].title, "as in superlance");
        assert_eq!(
            entries(&help.parts[1]),
            [("-h, --help", "show this"), ("-g, --group G", "it"), ("--retries N", "act after N failures")]
        );
        assert_eq!(help.parts[2].blocks, [Block::Code(vec!["  httpok \\".into(), "    http://x".into()])]);
    }

    #[test]
    fn the_originals_form_is_understood() {
        let text = "supervisord -- runs.\n\nUsage: /bin/supervisord [options]\n\nOptions:\n-c/--configuration FILENAME -- \
                    the file\n--minprocs NUM -- how many\n\nMore text\nin two lines.\n\n    supervisord -n\n";
        let help = Help::parse(text);
        assert_eq!(help.usage, ["/bin/supervisord [options]"]);
        assert_eq!(
            entries(&help.parts[1]),
            [("-c/--configuration FILENAME", "the file"), ("--minprocs NUM", "how many")]
        );
        assert_eq!(
            help.parts[2].blocks,
            [Block::Text("More text in two lines.".into()), Block::Code(vec!["    supervisord -n".into()])]
        );
    }

    #[test]
    fn claps_forms_are_understood() {
        let text = "About it\n\nUsage: ironlance x [OPTIONS] <COMMAND>\n\nCommands:\n  list  A line\n  help  Print this\n\n\
                    Options:\n      --seconds <N>\n          End after so long\n          \n          [default: 30]\n\n  \
                    -h, --help\n          Print help\n\nExits with 0.\n";
        let help = Help::parse(text);
        assert_eq!(entries(&help.parts[1]), [("list", "A line"), ("help", "Print this")]);
        assert_eq!(
            entries(&help.parts[2]),
            [("--seconds <N>", "End after so long [default: 30]"), ("-h, --help", "Print help")]
        );
        assert_eq!(help.parts[3].blocks, [Block::Text("Exits with 0.".into())]);
    }

    #[test]
    fn the_names_of_an_option_are_found_in_its_term() {
        for (term, short, long, value) in [
            ("-c, --configuration FILENAME", Some('c'), Some("configuration"), "FILENAME"),
            ("-c/--configuration FILENAME", Some('c'), Some("configuration"), "FILENAME"),
            ("--max-length[=N]", None, Some("max-length"), ""),
            ("--max-restarts N/TIME", None, Some("max-restarts"), "N"),
            ("--seconds <N>", None, Some("seconds"), "<N>"),
            ("-E", Some('E'), None, ""),
        ] {
            let names = Entry { term: term.into(), text: String::new() }.names();
            let expected = Names { short, long: long.map(str::to_owned), value: value.to_owned() };
            assert_eq!(names, expected, "{term}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "([ a-zA-Z<>\\[\\]=,/:\n-]|\\PC){0,200}") {
            let help = Help::parse(&text);
            let _ = help.options();
        }
    }
}
