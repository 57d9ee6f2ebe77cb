// Compile-only stub of UIKit, as documented for iOS 17.
@_exported import CoreGraphics

@MainActor open class UIApplication: NSObject {
  nonisolated public static let openSettingsURLString = ""
  public class var shared: UIApplication { stub() }
  open var isIdleTimerDisabled = false
}

@MainActor open class UIDevice: NSObject {
  public class var current: UIDevice { stub() }
  open var model: String { stub() }
  open var systemVersion: String { stub() }
}

open class UIImage: NSObject, @unchecked Sendable {
  open func jpegData(compressionQuality: CGFloat) -> Data? { stub() }
}
