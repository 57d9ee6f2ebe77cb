// The resize that the model was trained and measured with: PIL's BILINEAR. A triangle as wide as the
// step between output pixels (antialiasing; never narrower than one input pixel), first along the
// rows, then along the columns, both in fixed point and each rounded to 8 bits. PIL takes the columns
// first where the height shrinks and the width grows; then a pixel may differ by one level.

private let fractionBits: Int32 = 22

extension Frame {
  /// Turned clockwise by `rotation`, then stretched to `height` x `width`; the aspect ratio is not
  /// kept.
  public func resized(width: Int, height: Int, rotation: Rotation = .none) -> Frame {
    let upright = turned(by: rotation)
    let narrow = upright.width == width ? upright : upright.withWidth(width)
    return narrow.height == height ? narrow : narrow.withHeight(height)
  }

  /// Turned clockwise.
  public func turned(by rotation: Rotation) -> Frame {
    if rotation == .none { return self }
    let across = rotation == .clockwise90 || rotation == .clockwise270
    let (newWidth, newHeight) = across ? (height, width) : (width, height)
    // Where the first pixel comes from, and how far apart in `bytes` neighbours lie.
    let (start, right, down) =
      switch rotation {
      case .none: (0, 3, width * 3)
      case .clockwise90: ((height - 1) * width * 3, -width * 3, 3)
      case .half: ((height * width - 1) * 3, -3, -width * 3)
      case .clockwise270: ((width - 1) * 3, width * 3, -3)
      }
    var turned = [UInt8]()
    turned.reserveCapacity(bytes.count)
    for y in 0..<newHeight {
      for x in 0..<newWidth {
        let at = start + y * down + x * right
        turned.append(bytes[at])
        turned.append(bytes[at + 1])
        turned.append(bytes[at + 2])
      }
    }
    return Frame(unchecked: turned, width: newWidth, height: newHeight)
  }

  private func withWidth(_ newWidth: Int) -> Frame {
    let taps = Taps(from: width, to: newWidth)
    let resized = bytes.withUnsafeBufferPointer { source in
      [UInt8](unsafeUninitializedCapacity: newWidth * height * 3) { target, count in
        for y in 0..<height {
          for x in 0..<newWidth {
            let from = (y * width + taps.first[x]) * 3
            let to = (y * newWidth + x) * 3
            for channel in 0..<3 {
              target[to + channel] = taps.sum(x, source, from + channel, step: 3)
            }
          }
        }
        count = newWidth * height * 3
      }
    }
    return Frame(unchecked: resized, width: newWidth, height: height)
  }

  private func withHeight(_ newHeight: Int) -> Frame {
    let taps = Taps(from: height, to: newHeight)
    let row = width * 3
    let resized = bytes.withUnsafeBufferPointer { source in
      [UInt8](unsafeUninitializedCapacity: newHeight * row) { target, count in
        for y in 0..<newHeight {
          let from = taps.first[y] * row
          for x in 0..<row {
            target[y * row + x] = taps.sum(y, source, from + x, step: row)
          }
        }
        count = newHeight * row
      }
    }
    return Frame(unchecked: resized, width: width, height: newHeight)
  }
}

/// For each output pixel, the first input pixel and the weights of it and those after it.
private struct Taps {
  let first: [Int]
  private let weights: [Int32]
  private let counts: [Int]
  private let most: Int

  init(from input: Int, to output: Int) {
    let scale = Double(input) / Double(output)
    let support = max(scale, 1)
    most = Int(support.rounded(.up)) * 2 + 1
    var first: [Int] = []
    var counts: [Int] = []
    var weights: [Int32] = []
    for x in 0..<output {
      let center = (Double(x) + 0.5) * scale
      let start = max(Int(center - support + 0.5), 0)
      let stop = min(Int(center + support + 0.5), input)
      let triangle = (start..<stop).map { i in
        max(0, 1 - abs((Double(i) - center + 0.5) / support))
      }
      let sum = triangle.reduce(0, +)
      first.append(start)
      counts.append(stop - start)
      weights += triangle.map { Int32($0 / sum * Double(1 << fractionBits) + 0.5) }
      weights += repeatElement(0, count: most - triangle.count)
    }
    (self.first, self.counts, self.weights) = (first, counts, weights)
  }

  @inline(__always)
  func sum(_ x: Int, _ source: UnsafeBufferPointer<UInt8>, _ from: Int, step: Int) -> UInt8 {
    var total: Int32 = 1 << (fractionBits - 1)
    for i in 0..<counts[x] {
      total &+= Int32(source[from + i * step]) &* weights[x * most + i]
    }
    return UInt8(clamping: total >> fractionBits)
  }
}
