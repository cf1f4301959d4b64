//! The prescription as a one-page PDF, in the simplest form that every reader accepts.

use std::fmt::Write as _;

use super::rx_html::rows;
use super::spec::CaseSpec;

pub(super) fn document(spec: &CaseSpec) -> Vec<u8> {
    let content = content(spec);
    let created = spec.exported.strftime("%Y%m%d%H%M%S");
    let mut stream = format!("<< /Length {} >>\nstream\n", content.len()).into_bytes();
    stream.extend_from_slice(&content);
    stream.extend_from_slice(b"\nendstream");
    let objects: [Vec<u8>; 7] = [
        b"<< /Type /Catalog /Pages 2 0 R >>".to_vec(),
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_vec(),
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R \
          /Resources << /Font << /F1 5 0 R /F2 6 0 R >> >> >>"
            .to_vec(),
        stream,
        font("Helvetica"),
        font("Helvetica-Bold"),
        format!("<< /Title (Rx {}) /CreationDate (D:{created}Z) >>", spec.order_id).into_bytes(),
    ];

    // A comment with high bytes tells transfer programs that the file is binary.
    let mut pdf = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n".to_vec();
    let mut xref = format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1);
    for (number, object) in (1..).zip(&objects) {
        // Writing to a String cannot fail.
        let _ = writeln!(xref, "{:010} 00000 n ", pdf.len());
        pdf.extend_from_slice(format!("{number} 0 obj\n").as_bytes());
        pdf.extend_from_slice(object);
        pdf.extend_from_slice(b"\nendobj\n");
    }
    let start = pdf.len();
    let trailer = format!(
        "{xref}trailer\n<< /Size {} /Root 1 0 R /Info 7 0 R >>\nstartxref\n{start}\n%%EOF\n",
        objects.len() + 1
    );
    pdf.extend_from_slice(trailer.as_bytes());
    pdf
}

fn font(name: &str) -> Vec<u8> {
    format!("<< /Type /Font /Subtype /Type1 /BaseFont /{name} /Encoding /WinAnsiEncoding >>")
        .into_bytes()
}

fn content(spec: &CaseSpec) -> Vec<u8> {
    let mut page = b"0.16 0.36 0.55 rg 48 728 516 30 re f 1 1 1 rg\n".to_vec();
    show(&mut page, "F2", 16, (58, 738), "Rx - iTero prescription (synthetic)");
    page.extend_from_slice(b"0.1 0.12 0.16 rg 0.8 0.83 0.87 RG\n");
    let mut y = 700;
    for (name, value) in rows(spec) {
        show(&mut page, "F2", 10, (58, y), name);
        for line in wrapped(&value, 72) {
            show(&mut page, "F1", 10, (170, y), &line);
            y -= 14;
        }
        page.extend_from_slice(format!("48 {} m 564 {} l S\n", y + 8, y + 8).as_bytes());
        y -= 10;
    }
    page
}

fn show(page: &mut Vec<u8>, font: &str, size: u32, (x, y): (i32, i32), text: &str) {
    page.extend_from_slice(format!("BT /{font} {size} Tf {x} {y} Td (").as_bytes());
    for c in text.chars() {
        // WinAnsi matches Unicode for what Latin names need.
        let byte = u8::try_from(u32::from(c)).unwrap_or(b'?');
        if matches!(byte, b'(' | b')' | b'\\') {
            page.push(b'\\');
        }
        page.push(byte);
    }
    page.extend_from_slice(b") Tj ET\n");
}

fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().filter(|line| line.len() + word.len() < width);
        match line {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) => {
                line.push(' ');
                line.push_str(word);
            }
            None => lines.push(word.to_owned()),
        }
    }
    lines
}
