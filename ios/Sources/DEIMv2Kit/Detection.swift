/// One thing found: class index, score in 0..1, box in 0..1 of the upright frame.
public struct Detection: Sendable, Equatable, Codable {
  public let label: Int
  public let score: Float
  public let box: Box

  public init(label: Int, score: Float, box: Box) {
    self.label = label
    self.score = score
    self.box = box
  }
}

/// Corners; x to the right, y down; not clipped to the frame. Written as a list of four numbers.
public struct Box: Sendable, Equatable {
  public let x1, y1, x2, y2: Float

  public init(x1: Float, y1: Float, x2: Float, y2: Float) {
    (self.x1, self.y1, self.x2, self.y2) = (x1, y1, x2, y2)
  }

  /// The box in pixels of a frame of `width` x `height` as it came, before `rotation` turned it
  /// upright.
  public func inFrame(width: Int, height: Int, rotation: Rotation = .none) -> Box {
    let (w, h) = (Float(width), Float(height))
    return switch rotation {
    case .none: Box(x1: x1 * w, y1: y1 * h, x2: x2 * w, y2: y2 * h)
    case .clockwise90: Box(x1: y1 * w, y1: h - x2 * h, x2: y2 * w, y2: h - x1 * h)
    case .half: Box(x1: w - x2 * w, y1: h - y2 * h, x2: w - x1 * w, y2: h - y1 * h)
    case .clockwise270: Box(x1: w - y2 * w, y1: x1 * h, x2: w - y1 * w, y2: x2 * h)
    }
  }
}

extension Box: Codable {
  public init(from decoder: any Decoder) throws {
    var list = try decoder.unkeyedContainer()
    var edges: [Float] = []
    while !list.isAtEnd { edges.append(try list.decode(Float.self)) }
    guard edges.count == 4 else {
      throw DecodingError.dataCorruptedError(
        in: list, debugDescription: "a box of \(edges.count) numbers, expected 4")
    }
    self.init(x1: edges[0], y1: edges[1], x2: edges[2], y2: edges[3])
  }

  public func encode(to encoder: any Encoder) throws {
    var list = encoder.unkeyedContainer()
    for edge in [x1, y1, x2, y2] { try list.encode(edge) }
  }
}

/// How far a frame has to be turned clockwise to be upright; the raw value is in degrees.
public enum Rotation: Int, Sendable, CaseIterable {
  case none = 0
  case clockwise90 = 90
  case half = 180
  case clockwise270 = 270
}
