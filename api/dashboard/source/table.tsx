import type { ComponentChildren } from "preact";

// A Column of a table. On a narrow screen each row becomes a block in which a
// cell has its column's title beside it; the roles are spelled out because that
// layout would otherwise take them away.
export interface Column<Row> {
  title: string;
  cell: (row: Row) => ComponentChildren;
  number?: boolean; // aligned to the right, digits of one width
  wide?: boolean; // takes the whole width of a block
}

interface Props<Row> {
  caption: string;
  columns: Column<Row>[]; // the first one heads its row
  rows: Row[];
  id: (row: Row) => string;
  detail?: (row: Row) => ComponentChildren; // below the row; null: none
}

export function Table<Row>({ caption, columns, rows, id, detail }: Props<Row>) {
  return (
    <div class="scroll">
      <table role="table">
        <caption class="unseen">{caption}</caption>
        <thead role="rowgroup">
          <tr role="row">
            {columns.map((c) => (
              <th key={c.title} role="columnheader" scope="col" class={c.number ? "number" : ""}>
                {c.title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody role="rowgroup">
          {rows.map((row) => {
            const below = detail?.(row);
            return [
              <tr key={id(row)} role="row" class={below ? "open" : ""}>
                {columns.map((c, i) => (
                  <Cell key={c.title} column={c} row={row} first={i === 0} />
                ))}
              </tr>,
              below && (
                <tr key={`${id(row)} detail`} role="row" class="detail">
                  <td role="cell" colSpan={columns.length}>{below}</td>
                </tr>
              ),
            ];
          })}
        </tbody>
      </table>
    </div>
  );
}

function Cell<Row>({ column, row, first }: { column: Column<Row>; row: Row; first: boolean }) {
  const style = [column.number ? "number" : "", column.wide ? "wide" : ""].join(" ").trim();
  const content = column.cell(row);
  if (first) return <th role="rowheader" scope="row" class={style}>{content}</th>;
  return <td role="cell" class={style} data-title={column.title}>{content}</td>;
}
