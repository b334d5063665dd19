// Values in the form of truth.json.
const view = new DataView(new ArrayBuffer(8))
const hex = (n, digits) => n.toString(16).padStart(digits, '0')

function float64(v) {
  view.setFloat64(0, v)
  return hex(view.getBigUint64(0), 16)
}

function float32(v) {
  view.setFloat32(0, v)
  return hex(view.getUint32(0), 8)
}

const binary = (v) => Buffer.from(v).toString('hex')

// form returns a function from a value that is not null to its form, by the name of a type.
export const form = (type) => ({ float64, float32, binary, string: (v) => v, bool: (v) => v })[type] ?? String

// fromText is a cell of CSV in its form: nothing is null, as which CSV cannot tell an empty string.
export function fromText(type, text) {
  if (text === null || text === undefined || text === '') return null
  return { float64: (v) => float64(Number(v)), bool: (v) => v === 'true' }[type]?.(text) ?? text
}

// forms puts all values of a column into their form.
export const forms = (type, values) => Array.from(values, (v) => (v === null ? null : form(type)(v)))
