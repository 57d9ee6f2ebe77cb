/// Is a manifest what the schema says? One sentence for the first thing that is not, the same as in
/// Python (`converters/schema.py`): a thing comes before its parts, parts come sorted by name or
/// index, and the rules of one thing in the order of `rules`. What a part's name breaks
/// (`propertyNames`) is said of the thing.
struct SchemaCheck {
  let schema: JSON

  func problem(of content: JSON) -> String? {
    problem(content, schema, "$")
  }

  /// The rules, in the order in which they are looked at.
  private static let rules = [
    "type", "const", "enum", "pattern", "minLength", "minimum", "maximum", "multipleOf", "minItems",
    "maxItems", "propertyNames", "required", "dependentRequired", "additionalProperties",
  ]

  /// What is said of a value that breaks a rule of its schema, the first; nil if it breaks none.
  private func broken(_ value: JSON, _ schema: JSON) -> String? {
    for rule in Self.rules {
      if let argument = schema[rule], let said = broken(rule, argument, value, schema) {
        return said
      }
    }
    return nil
  }

  /// The same of one rule.
  private func broken(_ rule: String, _ argument: JSON, _ value: JSON, _ schema: JSON) -> String? {
    let limit = argument.double ?? 0
    var holds = true
    var wanted = argument.shown
    switch (rule, argument, value) {
    case ("type", .string(let kind), _):
      holds = value.isOf(kind)
      wanted = kinds[kind] ?? kind
    case ("const", _, _):
      holds = value == argument
    case ("enum", .array(let values), _):
      holds = values.contains(value)
      wanted = "one of " + values.map(\.shown).joined(separator: ", ")
    case ("pattern", .string(let regex), .string(let text)):
      holds = (try? Regex(regex).firstMatch(in: text)) != nil
      wanted = "text that matches \(regex)"
    case ("minLength", _, .string(let text)):
      holds = Double(text.unicodeScalars.count) >= limit
      wanted = "text of \(argument.shown) or more"
    case ("minimum", _, _):
      holds = (value.double ?? limit) >= limit
      wanted += " or more"
    case ("maximum", _, _):
      holds = (value.double ?? limit) <= limit
      wanted += " or less"
    case ("multipleOf", _, _):
      holds = (value.double ?? 0).truncatingRemainder(dividingBy: limit) == 0
      wanted = "a multiple of \(wanted)"
    case ("minItems", _, .array(let items)):
      holds = Double(items.count) >= limit
      wanted += " or more"
    case ("maxItems", _, .array(let items)):
      holds = Double(items.count) <= limit
      wanted += " or less"
    case ("propertyNames", .object, .object(let members)):
      return sorted(members.keys).lazy.compactMap { broken(.string($0), argument) }.first
    case ("required", _, .object):
      return missing(argument, in: value)
    case ("dependentRequired", .object(let needs), .object(let members)):
      let needed = sorted(members.keys).lazy.compactMap { missing(needs[$0] ?? .null, in: value) }
      return needed.first
    case ("additionalProperties", .bool(false), .object(let members)):
      let unknown = members.keys.filter { schema["properties"]?[$0] == nil }
      return sorted(unknown).first.map { "\(JSON.string($0).shown) is unknown" }
    default: break
    }
    return holds ? nil : "found \(value.shown), expected \(wanted)"
  }

  private func missing(_ names: JSON, in value: JSON) -> String? {
    guard case .array(let names) = names else { return nil }
    return names.first { value[$0] == nil }.map { "\($0.shown) is missing" }
  }

  private func problem(_ value: JSON, _ written: JSON, _ place: String) -> String? {
    let schema = resolved(written)
    if let said = broken(value, schema) { return "at \(place): \(said)" }
    switch value {
    case .object(let members):
      let others = schema["additionalProperties"]
      for key in sorted(members.keys) {
        guard let member = members[key] else { continue }
        let schema = schema["properties"]?[key] ?? others ?? .null
        if let said = problem(member, schema, "\(place).\(key)") { return said }
      }
    case .array(let values):
      for (index, item) in values.enumerated() {
        let schema = schema["prefixItems"]?[index] ?? schema["items"] ?? .null
        if let said = problem(item, schema, "\(place)[\(index)]") { return said }
      }
    default: break
    }
    return nil
  }

  private func resolved(_ written: JSON) -> JSON {
    guard case .string(let reference)? = written["$ref"] else { return written }
    return reference.split(separator: "/").dropFirst().reduce(schema) { $0[String($1)] ?? .null }
  }
}

private let kinds = [
  "object": "an object", "array": "a list", "string": "text", "integer": "a whole number",
  "number": "a number", "boolean": "true or false",
]

extension JSON {
  fileprivate func isOf(_ kind: String) -> Bool {
    switch (kind, self) {
    case ("object", .object), ("array", .array), ("string", .string), ("integer", .integer),
      ("number", .integer), ("number", .number), ("boolean", .bool):
      true
    default: false
    }
  }

  fileprivate subscript(name: JSON) -> JSON? {
    if case .string(let key) = name { self[key] } else { nil }
  }

  fileprivate subscript(index: Int) -> JSON? {
    if case .array(let items) = self, items.indices.contains(index) { items[index] } else { nil }
  }
}

/// By code point, as Python sorts.
private func sorted(_ names: some Sequence<String>) -> [String] {
  names.sorted { $0.unicodeScalars.lexicographicallyPrecedes($1.unicodeScalars) }
}
