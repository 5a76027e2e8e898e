//! A manual page in roff, out of pieces of help and of documents.

use ironlance_core::cli::help::{CommandHelp, HelpBlock, HelpEntry};
use roff::{Inline, Roff, bold, italic, roman};

/// A page that is being written.
pub(super) struct Page(Roff);

impl Page {
    /// Begins with the page's title line and its NAME.
    pub(super) fn new(name: &str, section: u8, about: &str) -> Self {
        let mut roff = Roff::new();
        let version = concat!("ironlance ", env!("CARGO_PKG_VERSION"));
        // No date: the page of one version is always the same.
        roff.control("TH", [name.to_uppercase().as_str(), section.to_string().as_str(), "", version]);
        // Words are not broken: there are file names and options among them.
        roff.control("nh", []).control("ad", ["l"]).control("SH", ["NAME"]);
        roff.text([roman(format!("{name} - {about}"))]);
        Self(roff)
    }

    /// The page's source.
    pub(super) fn render(&self) -> String {
        self.0.render()
    }

    /// A heading: in capitals, but for the names of sections, `[program:x]`.
    pub(super) fn heading(&mut self, title: &str) {
        let title = if title.starts_with('[') { title.to_owned() } else { title.to_uppercase() };
        self.0.control("SH", [title.as_str()]);
    }

    /// A heading below a heading.
    pub(super) fn subheading(&mut self, title: &str) {
        self.0.control("SS", [title]);
    }

    /// A paragraph.
    pub(super) fn paragraph(&mut self, text: impl Into<Vec<Inline>>) {
        self.0.control("PP", []).text(text);
    }

    /// What is said about a term.
    pub(super) fn entry(&mut self, term: impl Into<Vec<Inline>>, text: impl Into<Vec<Inline>>) {
        self.0.control("TP", []).text(term).text(text);
    }

    /// An item of a list.
    pub(super) fn item(&mut self, text: impl Into<Vec<Inline>>) {
        self.0.control("IP", ["\\(bu", "2"]).text(text);
    }

    /// Lines that are left as they are, indented.
    pub(super) fn code<'l>(&mut self, lines: impl IntoIterator<Item = &'l str>) {
        self.0.control("PP", []).control("RS", ["4"]).control("nf", []);
        for line in lines {
            // An empty line would be a paragraph to some readers.
            let line = if line.is_empty() { " " } else { line };
            self.0.text([roman(line)]);
        }
        self.0.control("fi", []).control("RE", []);
    }

    /// How the command is called.
    pub(super) fn synopsis(&mut self, usage: &str) {
        self.heading("Synopsis");
        let end = usage.find(" [").or_else(|| usage.find(" <")).unwrap_or(usage.len());
        let (command, rest) = usage.split_at(end);
        self.0.text([bold(command), roman(rest)]);
    }

    /// A whole help, under the headings that manual pages have.
    pub(super) fn help(&mut self, help: &CommandHelp) {
        self.synopsis(&help.usage);
        for (at, section) in help.sections.iter().enumerate() {
            match section.title {
                "" if at == 0 => self.heading("Description"),
                "" => self.heading("Notes"),
                "more" => self.heading("More options"),
                "as in superlance" => self.heading("Options as in superlance"),
                title => self.heading(title),
            }
            section.blocks.iter().for_each(|block| self.block(block));
        }
    }

    /// A piece of help.
    pub(super) fn block(&mut self, block: &HelpBlock) {
        match block {
            HelpBlock::Paragraph(text) => self.paragraph([roman(text.as_str())]),
            HelpBlock::Code(code) => self.code(code.lines()),
            HelpBlock::Entry(entry) => self.help_entry(entry),
        }
    }

    /// An option or a form of a verb.
    pub(super) fn help_entry(&mut self, entry: &HelpEntry) {
        self.entry(term(&entry.term), [roman(entry.text.as_str())]);
    }
}

/// Options and the names of verbs bold, what is to be put in for a word in italics.
fn term(text: &str) -> Vec<Inline> {
    let mut inlines = Vec::new();
    let mut first = true;
    for word in text.split_inclusive(['/', ' ', '=']) {
        let (word, gap) = word.split_at(word.trim_end_matches(['/', ' ', '=']).len());
        let is_name = word.starts_with('-') || word.starts_with(|c: char| c.is_ascii_lowercase());
        let is_name = is_name || (first && !word.starts_with('<'));
        inlines.push(if is_name { bold(word) } else { italic(word) });
        if !gap.is_empty() {
            inlines.push(roman(gap));
        }
        first = false;
    }
    inlines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_said_becomes_a_request() {
        let mut page = Page::new("x", 1, "does .it");
        page.paragraph([roman(".so /etc/passwd \\fB 'quoted' -x")]);
        page.code(["'br", "", "  deep"]);
        let text = page.render();
        assert!(text.contains("\\&.so /etc/passwd \\\\fB \\*(Aqquoted\\*(Aq \\-x"), "{text}");
        assert!(!text.lines().any(|line| line.starts_with("'br") || line.starts_with(".so")), "{text}");
    }

    #[test]
    fn names_are_bold_and_words_to_be_replaced_italic() {
        let mut page = Page::new("x", 1, "does it");
        page.help_entry(&HelpEntry {
            term: "-c, --configuration FILENAME".into(),
            text: "the file".into(),
            ..HelpEntry::default()
        });
        assert!(
            page.render().contains("\\fB\\-c,\\fR \\fB\\-\\-configuration\\fR \\fIFILENAME\\fR\nthe file")
        );
    }
}
