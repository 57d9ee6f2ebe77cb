#if canImport(UIKit) && !os(tvOS) && !os(visionOS) && !os(watchOS)
  import CoreGraphics
  import Foundation
  import SwiftUI

  /// A picture with its detections drawn over it; VoiceOver reads them as a list.
  public struct DetectionsView: View {
    private let image: CGImage
    private let found: [Named]

    public init(image: CGImage, found: [Named]) {
      (self.image, self.found) = (image, found)
    }

    /// A detection with its class name.
    public struct Named: Sendable {
      public let name: String
      public let detection: Detection
      /// Of its object, where objects are followed.
      public var id: Int?

      var caption: String {
        let score = detection.score.formatted(.percent.precision(.fractionLength(0)))
        return "\(id.map { "#\($0) " } ?? "")\(name) \(score)"
      }
    }

    /// The language to name classes in: the user's first, or the one chosen for this app.
    private static var language: String? { Locale.preferredLanguages.first }

    /// Those above the threshold, one for each object. Throws unnamedLabel.
    public static func named(
      _ detections: [Detection], above threshold: Float, by manifest: Manifest
    ) throws -> [Named] {
      try detections.indices
        .filter { detections[$0].score > threshold && !detections.isRepeated($0) }
        .map { detections[$0] }
        .map { Named(name: try manifest.name(of: $0, in: language), detection: $0) }
    }

    /// Those of a track. Throws unnamedLabel.
    public static func named(
      _ detections: [Detection], ids: [Int?], by manifest: Manifest
    ) throws -> [Named] {
      try zip(detections, ids).compactMap { detection, id in
        guard let id else { return nil }
        let name = try manifest.name(of: detection, in: language)
        return Named(name: name, detection: detection, id: id)
      }
    }

    public var body: some View {
      Image(decorative: image, scale: 1)
        .resizable()
        .aspectRatio(contentMode: .fit)
        .overlay { Canvas { context, size in draw(context, size) } }
        .accessibilityElement(children: .ignore)
        .accessibilityLabel(spoken)
        .accessibilityAddTraits(.isImage)
    }

    private var spoken: String {
      found.isEmpty ? "Nothing found" : found.map(\.caption).joined(separator: ", ")
    }

    private func draw(_ context: GraphicsContext, _ size: CGSize) {
      for one in found.reversed() {  // the best on top
        let box = one.detection.box.inFrame(width: Int(size.width), height: Int(size.height))
        let rectangle = CGRect(
          x: CGFloat(box.x1), y: CGFloat(box.y1), width: CGFloat(box.x2 - box.x1),
          height: CGFloat(box.y2 - box.y1))
        context.stroke(Path(rectangle), with: .color(.black), lineWidth: 5)
        context.stroke(Path(rectangle), with: .color(.yellow), lineWidth: 3)
        let text = context.resolve(
          Text(one.caption).font(.caption.bold()).foregroundStyle(.black))
        let area = text.measure(in: size)
        let corner = CGRect(origin: rectangle.origin, size: area)
        context.fill(Path(corner), with: .color(.yellow))
        context.draw(text, in: corner)
      }
    }
  }
#endif
