import CoreGraphics
import DEIMv2Kit
import SwiftUI
import UniformTypeIdentifiers

/// A photo with its boxes, drawn when it is shared. Unchecked, because a CGImage never changes.
struct SharedPicture: Transferable, @unchecked Sendable {
  let image: CGImage
  let found: [DetectionsView.Named]

  static var transferRepresentation: some TransferRepresentation {
    DataRepresentation(exportedContentType: .png) { (picture: SharedPicture) in
      try await picture.png()
    }
  }

  @MainActor private func png() throws -> Data {
    let renderer = ImageRenderer(content: DetectionsView(image: image, found: found))
    guard let data = renderer.uiImage?.pngData() else {
      throw DEIMv2Error.image(reason: "the picture with its boxes is too large for this device")
    }
    return data
  }
}
