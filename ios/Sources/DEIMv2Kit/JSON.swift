/// Any JSON value, to check a manifest before its parts are known.
enum JSON: Decodable, Equatable, Sendable {
  case null
  case bool(Bool)
  case integer(Int)
  case number(Double)
  case string(String)
  case array([JSON])
  case object([String: JSON])

  init(from decoder: any Decoder) throws {
    let one = try decoder.singleValueContainer()
    if one.decodeNil() {
      self = .null
    } else if let value = try? one.decode(Bool.self) {
      self = .bool(value)
    } else if let value = try? one.decode(Int.self) {
      self = .integer(value)
    } else if let value = try? one.decode(Double.self) {
      self = .number(value)
    } else if let value = try? one.decode(String.self) {
      self = .string(value)
    } else if let value = try? one.decode([JSON].self) {
      self = .array(value)
    } else {
      self = .object(try one.decode([String: JSON].self))
    }
  }

  subscript(key: String) -> JSON? {
    if case .object(let members) = self { members[key] } else { nil }
  }

  var double: Double? {
    switch self {
    case .integer(let value): Double(value)
    case .number(let value): value
    default: nil
    }
  }

  /// The value in a sentence: containers by their kind, long text by its beginning.
  var shown: String {
    switch self {
    case .null: return "null"
    case .bool(let value): return value ? "true" : "false"
    case .integer(let value): return "\(value)"
    case .number(let value): return "\(value)"
    case .array(let items): return "a list of \(items.count)"
    case .object: return "an object"
    case .string(let value):
      let text = value.split(whereSeparator: \.isWhitespace).joined(separator: " ").unicodeScalars
      return text.count > 40 ? "'\(String(text.prefix(40)))...'" : "'\(String(text))'"
    }
  }
}
