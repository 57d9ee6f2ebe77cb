/// Is a manifest what the schema says? One sentence for the first thing that is not, the same as in
/// Python (`converters/schema.py`): a thing comes before its parts, parts come sorted by name or
/// index, and the rules of one thing in the order of `rules`.
struct SchemaCheck {
  let schema: JSON

  func problem(of content: JSON) -> String? {
    problem(content, schema, "$")
  }

  private typealias Rule = @Sendable (_ argument: JSON, _ value: JSON, _ schema: JSON) -> String?

  private static let rules: [(name: String, check: Rule)] = [
    ("type", { kind, value, _ in checkType(kind, value) }),
    ("const", { wanted, value, _ in value == wanted ? nil : expected(value, wanted.shown) }),
    (
      "enum",
      { wanted, value, _ in
        let values = items(wanted)
        let list = values.map(\.shown).joined(separator: ", ")
        return values.contains(value) ? nil : expected(value, "one of \(list)")
      }
    ),
    (
      "pattern",
      { pattern, value, _ in
        guard case .string(let regex) = pattern, case .string(let text) = value else { return nil }
        let matches = (try? Regex(regex).firstMatch(in: text)) != nil
        return matches ? nil : expected(value, "text that matches \(regex)")
      }
    ),
    ("minLength", { least, value, _ in atLeast(least, length(of: value), value, "text of \(least.shown) or more") }),
    ("minimum", { least, value, _ in atLeast(least, value.double, value, "\(least.shown) or more") }),
    (
      "maximum",
      { most, value, _ in
        guard let number = value.double, let limit = most.double, number > limit else { return nil }
        return expected(value, "\(most.shown) or less")
      }
    ),
    (
      "multipleOf",
      { step, value, _ in
        guard let number = value.double, let step = step.double else { return nil }
        let rest = number.truncatingRemainder(dividingBy: step)
        return rest == 0 ? nil : expected(value, "a multiple of \(Int(step))")
      }
    ),
    ("minItems", { least, value, _ in atLeast(least, count(of: value), value, "\(least.shown) or more") }),
    (
      "maxItems",
      { most, value, _ in
        guard let count = count(of: value), let limit = most.double, count > limit else { return nil }
        return expected(value, "\(most.shown) or less")
      }
    ),
    (
      "required",
      { names, value, _ in
        guard case .object(let members) = value else { return nil }
        let missing = items(names).first { if case .string(let n) = $0 { members[n] == nil } else { false } }
        return missing.map { "\($0.shown) is missing" }
      }
    ),
    (
      "additionalProperties",
      { allowed, value, schema in
        guard allowed == .bool(false), case .object(let members) = value else { return nil }
        let unknown = members.keys.filter { schema["properties"]?[$0] == nil }
        return sorted(unknown).first.map { "\(JSON.string($0).shown) is unknown" }
      }
    ),
  ]

  private func problem(_ value: JSON, _ written: JSON, _ place: String) -> String? {
    let schema = resolved(written)
    for (name, check) in Self.rules {
      if let argument = schema[name], let said = check(argument, value, schema) {
        return "at \(place): \(said)"
      }
    }
    switch value {
    case .object(let members):
      let others = schema["additionalProperties"]
      for key in sorted(members.keys) {
        guard let member = members[key], let rule = schema["properties"]?[key] ?? others else { continue }
        if let said = problem(member, rule, "\(place).\(key)") { return said }
      }
    case .array(let values):
      let first = items(schema["prefixItems"] ?? .array([]))
      for (index, item) in values.enumerated() {
        guard let rule = index < first.count ? first[index] : schema["items"] else { continue }
        if let said = problem(item, rule, "\(place)[\(index)]") { return said }
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

private func checkType(_ kind: JSON, _ value: JSON) -> String? {
  switch (kind, value) {
  case (.string("object"), .object), (.string("array"), .array), (.string("string"), .string),
    (.string("integer"), .integer), (.string("number"), .integer), (.string("number"), .number):
    nil
  case (.string("object"), _): expected(value, "an object")
  case (.string("array"), _): expected(value, "a list")
  case (.string("string"), _): expected(value, "text")
  case (.string("integer"), _): expected(value, "a whole number")
  default: expected(value, "a number")
  }
}

private func expected(_ value: JSON, _ wanted: String) -> String {
  "found \(value.shown), expected \(wanted)"
}

private func atLeast(_ least: JSON, _ amount: Double?, _ value: JSON, _ wanted: String) -> String? {
  guard let amount, let least = least.double, amount < least else { return nil }
  return expected(value, wanted)
}

private func items(_ list: JSON) -> [JSON] {
  if case .array(let items) = list { items } else { [] }
}

private func count(of value: JSON) -> Double? {
  if case .array(let items) = value { Double(items.count) } else { nil }
}

private func length(of value: JSON) -> Double? {
  if case .string(let text) = value { Double(text.unicodeScalars.count) } else { nil }
}

/// By code point, as Python sorts.
private func sorted(_ names: some Sequence<String>) -> [String] {
  names.sorted { $0.unicodeScalars.lexicographicallyPrecedes($1.unicodeScalars) }
}
