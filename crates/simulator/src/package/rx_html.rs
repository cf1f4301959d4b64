//! The prescription as a web page.

use quick_xml::escape::escape;

use super::spec::CaseSpec;
use super::xml_tables as tables;

/// What the page shows.
fn rows(spec: &CaseSpec) -> Vec<(&'static str, String)> {
    let date = |date: jiff::civil::Date| date.strftime("%m/%d/%Y").to_string();
    let mut rows = vec![
        ("Order", spec.order_id.to_string()),
        ("Order code", spec.order_code.clone()),
        ("Patient", spec.patient.last_first()),
        ("Chart number", spec.chart_number.clone()),
        ("Doctor", format!("Dr. {} {}", spec.doctor.first, spec.doctor.last)),
        ("Ship to", spec.practice_address.clone()),
        ("Lab", format!("{} ({})", spec.lab_name, spec.lab_id)),
        ("Procedure", spec.procedure.clone()),
        ("Case type", spec.case_type.clone()),
        ("Scanned", date(spec.exported.date())),
        ("Due date", date(spec.due)),
    ];
    for tooth in &spec.teeth {
        rows.push((
            "Tooth",
            format!(
                "{}: {}, {}, shade {}",
                tooth.ada,
                tables::restoration(tooth.restoration),
                tables::material(tooth.material),
                tooth.shade
            ),
        ));
    }
    rows.push(("Notes", spec.notes.clone()));
    rows
}

/// Returns the page; it shows the logo file next to it.
pub(super) fn page(spec: &CaseSpec) -> String {
    let mut table = String::new();
    for (name, value) in rows(spec) {
        table.push_str("      <tr><th>");
        table.push_str(name);
        table.push_str("</th><td>");
        table.push_str(&escape(&value));
        table.push_str("</td></tr>\n");
    }
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n  <head>\n    <meta charset=\"utf-8\">\n    \
         <title>Rx {id}</title>\n    <style>\n      \
         body {{ font-family: Arial, sans-serif; margin: 2em; color: #223; }}\n      \
         table {{ border-collapse: collapse; min-width: 36em; }}\n      \
         th, td {{ border: 1px solid #ccd; padding: 0.4em 0.8em; text-align: left; }}\n      \
         th {{ background: #eef2f6; width: 10em; }}\n    </style>\n  </head>\n  <body>\n    \
         <img src=\"itero_element_logo.png\" alt=\"\">\n    <h1>Prescription</h1>\n    <table>\n\
         {table}    </table>\n    <p>Synthetic order of a simulator; nobody is treated by it.</p>\n  \
         </body>\n</html>\n",
        id = spec.order_id
    )
}
