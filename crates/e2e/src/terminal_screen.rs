//! A screen without a lower end: where the cursor's codes lead, so that two line editors that draw one line in two
//! ways come out the same.

use std::mem;

/// Lines of characters and a cursor.
#[derive(Clone, Debug, Default)]
pub(crate) struct TerminalScreen {
    lines: Vec<Vec<char>>,
    row: usize,
    column: usize,
    code: Code,
    /// The beginning of a character whose end has not come yet.
    half: Vec<u8>,
}

/// What was read of an escape code.
#[derive(Clone, Debug, Default)]
enum Code {
    #[default]
    None,
    Escape,
    /// `ESC [` and its parameters.
    Control(String),
    /// `ESC ]` until a bell or `ESC \`.
    Title,
}

impl TerminalScreen {
    /// Prints what a command wrote.
    pub(crate) fn print(&mut self, bytes: &[u8]) {
        let mut bytes = [mem::take(&mut self.half).as_slice(), bytes].concat();
        if let Err(error) = std::str::from_utf8(&bytes)
            && error.error_len().is_none()
        {
            self.half = bytes.split_off(error.valid_up_to());
        }
        String::from_utf8_lossy(&bytes).chars().for_each(|char| self.put(char));
    }

    /// All lines, without blanks at their ends.
    pub(crate) fn text(&self) -> String {
        let line = |line: &Vec<char>| line.iter().collect::<String>().trim_end().to_owned();
        self.lines.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    fn put(&mut self, char: char) {
        match mem::take(&mut self.code) {
            Code::None => self.plain(char),
            Code::Escape => match char {
                '[' => self.code = Code::Control(String::new()),
                ']' => self.code = Code::Title,
                // The key pads' modes and the like have no operand.
                _ => {}
            },
            Code::Control(mut parameters) => {
                if matches!(char, '\x20'..='\x3f') {
                    parameters.push(char);
                    self.code = Code::Control(parameters);
                } else {
                    self.control(&parameters, char);
                }
            }
            Code::Title => {
                if char == '\x1b' {
                    self.code = Code::Escape;
                } else if char != '\x07' {
                    self.code = Code::Title;
                }
            }
        }
    }

    fn plain(&mut self, char: char) {
        match char {
            '\x1b' => self.code = Code::Escape,
            '\r' => self.column = 0,
            '\n' => {
                self.row += 1;
                self.line();
            }
            '\x08' => self.column = self.column.saturating_sub(1),
            '\t' => self.column = (self.column / 8 + 1) * 8,
            char if char.is_control() => {}
            char => {
                let column = self.column;
                let line = self.line();
                if line.len() <= column {
                    line.resize(column + 1, ' ');
                }
                line[column] = char;
                self.column += 1;
            }
        }
    }

    fn control(&mut self, parameters: &str, name: char) {
        let number = |otherwise: usize| {
            parameters.split(';').next().and_then(|first| first.parse().ok()).unwrap_or(otherwise)
        };
        match name {
            'A' => self.row = self.row.saturating_sub(number(1)),
            'B' => self.row += number(1),
            'C' => self.column += number(1),
            'D' => self.column = self.column.saturating_sub(number(1)),
            'G' => self.column = number(1).saturating_sub(1),
            'J' => {
                let (row, column) = (self.row, self.column);
                self.line().truncate(column);
                self.lines.truncate(row + 1);
            }
            'K' => {
                let column = self.column;
                self.line().truncate(column);
            }
            'P' => {
                let (column, count) = (self.column, number(1));
                let line = self.line();
                let end = line.len().min(column + count);
                if column < end {
                    line.drain(column..end);
                }
            }
            // Colours, modes, insertions that nobody uses here.
            _ => {}
        }
    }

    fn line(&mut self) -> &mut Vec<char> {
        let row = self.row;
        if self.lines.len() <= row {
            self.lines.resize(row + 1, Vec::new());
        }
        &mut self.lines[row]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn screen(bytes: &[u8]) -> String {
        let mut screen = TerminalScreen::default();
        bytes.iter().for_each(|byte| screen.print(&[*byte]));
        screen.text()
    }

    #[test]
    fn a_line_that_is_drawn_again_and_again_stands_there_once() {
        assert_eq!(screen(b"> s\r\x1b[K> st\r\x1b[K> sta\r\n"), "> sta\n");
        assert_eq!(screen(b"> sx\x08 \x08t\x1b[?2004l"), "> st");
    }

    #[test]
    fn codes_move_the_cursor_and_titles_are_not_seen() {
        assert_eq!(screen(b"abc\x1b[2Dx\x1b[C!\x1b]0;title\x07\x1b[31mred\x1b[0m"), "axc!red");
        assert_eq!(screen("é\tx\r\nnext\x1b[A\rE".as_bytes()), "E       x\nnext");
        assert_eq!(screen(b"one\ntwo\x1b[1A\r\x1b[Jthree"), "three");
    }
}
