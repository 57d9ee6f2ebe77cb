// Compile-only stub of the part of SwiftUI that the sample app uses, as documented for iOS 17.
@_exported import CoreGraphics
@_exported import CoreTransferable
@_exported import Observation
import UIKit

// MARK: views and their composition

@MainActor @preconcurrency public protocol View {
  associatedtype Body: View
  @ViewBuilder var body: Body { get }
}
extension Never: View { public var body: Never { stub() } }
extension Optional: View where Wrapped: View { public var body: Never { stub() } }

@resultBuilder public enum ViewBuilder {
  public static func buildExpression<Content: View>(_ content: Content) -> Content { content }
  public static func buildBlock() -> EmptyView { EmptyView() }
  public static func buildBlock<Content: View>(_ content: Content) -> Content { content }
  public static func buildBlock<each Content: View>(
    _ content: repeat each Content
  ) -> TupleView<(repeat each Content)> { stub() }
  public static func buildIf<Content: View>(_ content: Content?) -> Content? { content }
  public static func buildEither<First: View, Second: View>(
    first: First
  ) -> ConditionalContent<First, Second> { stub() }
  public static func buildEither<First: View, Second: View>(
    second: Second
  ) -> ConditionalContent<First, Second> { stub() }
}

public struct TupleView<Content>: View { public var body: Never { stub() } }
public struct ConditionalContent<First: View, Second: View>: View {
  public var body: Never { stub() }
}
public struct EmptyView: View { public var body: Never { stub() } }

// MARK: the app

@MainActor @preconcurrency public protocol App {
  associatedtype Body: Scene
  @SceneBuilder var body: Body { get }
  init()
}
extension App { public static func main() { stub() } }
@MainActor @preconcurrency public protocol Scene {
  associatedtype Body: Scene
  var body: Body { get }
}
extension Never: Scene {}
@resultBuilder public enum SceneBuilder {
  public static func buildBlock<Content: Scene>(_ content: Content) -> Content { content }
}
public struct WindowGroup<Content: View>: Scene {
  public init(@ViewBuilder content: () -> Content) {}
  public var body: Never { stub() }
}

// MARK: state

@propertyWrapper public struct State<Value> {
  public init(wrappedValue: Value) {}
  public var wrappedValue: Value {
    get { stub() }
    nonmutating set {}
  }
  public var projectedValue: Binding<Value> { stub() }
}
extension State where Value: ExpressibleByNilLiteral { public init() { stub() } }

@propertyWrapper @dynamicMemberLookup public struct Binding<Value> {
  public init(projectedValue: Binding<Value>) {}
  public var wrappedValue: Value {
    get { stub() }
    nonmutating set {}
  }
  public var projectedValue: Binding<Value> { self }
  public subscript<Subject>(
    dynamicMember keyPath: WritableKeyPath<Value, Subject>
  ) -> Binding<Subject> { stub() }
}

@propertyWrapper @dynamicMemberLookup public struct Bindable<Value> {
  public init(projectedValue: Bindable<Value>) {}
  public var wrappedValue: Value { stub() }
  public var projectedValue: Bindable<Value> { self }
  public subscript<Subject>(
    dynamicMember keyPath: ReferenceWritableKeyPath<Value, Subject>
  ) -> Binding<Subject> where Value: AnyObject { stub() }
}
extension Bindable where Value: AnyObject & Observable {
  public init(wrappedValue: Value) { stub() }
}

@propertyWrapper public struct Environment<Value> {
  public init(_ keyPath: KeyPath<EnvironmentValues, Value>) {}
  public var wrappedValue: Value { stub() }
}
extension Environment where Value: AnyObject & Observable {
  public init(_ objectType: Value.Type) { stub() }
}

public struct EnvironmentValues { public var openURL: OpenURLAction { stub() } }
@MainActor public struct OpenURLAction { public func callAsFunction(_ url: URL) {} }

// MARK: text, images, shapes

public struct LocalizedStringKey: ExpressibleByStringInterpolation, Sendable {
  public init(stringLiteral value: String) {}
}

public struct Text: View, Sendable {
  public init(_ key: LocalizedStringKey) {}
  @_disfavoredOverload public init<S: StringProtocol>(_ content: S) {}
  public func font(_ font: Font?) -> Text { self }
  public func foregroundStyle<S: ShapeStyle>(_ style: S) -> Text { self }
  public var body: Never { stub() }
}

public struct Font: Sendable {
  public static let caption = Font()
  public static let footnote = Font()
  public func bold() -> Font { self }
  public func monospacedDigit() -> Font { self }
}

public enum ContentMode: Sendable { case fit, fill }

public struct Image: View {
  public init(decorative cgImage: CGImage, scale: CGFloat) {}
  public func resizable() -> Image { self }
  public var body: Never { stub() }
}

public protocol ShapeStyle: Sendable {}
public struct Color: ShapeStyle, View {
  public static let black = Color()
  public static let yellow = Color()
  public static let green = Color()
  public static let red = Color()
  public var body: Never { stub() }
}
extension ShapeStyle where Self == Color {
  public static var black: Color { stub() }
  public static var yellow: Color { stub() }
}

public struct Path: Sendable { public init(_ rect: CGRect) {} }

public struct Canvas: View {
  public init(renderer: @escaping (inout GraphicsContext, CGSize) -> Void) {}
  public var body: Never { stub() }
}

public struct GraphicsContext {
  public struct Shading { public static func color(_ color: Color) -> Shading { stub() } }
  public struct ResolvedText {
    public func measure(in size: CGSize) -> CGSize { stub() }
  }
  public func stroke(_ path: Path, with shading: Shading, lineWidth: CGFloat = 1) {}
  public func fill(_ path: Path, with shading: Shading) {}
  public func resolve(_ text: Text) -> ResolvedText { stub() }
  public func draw(_ text: ResolvedText, in rect: CGRect) {}
}

// MARK: containers

public struct HStack<Content: View>: View {
  public init(spacing: CGFloat? = nil, @ViewBuilder content: () -> Content) {}
  public var body: Never { stub() }
}
public struct VStack<Content: View>: View {
  public init(spacing: CGFloat? = nil, @ViewBuilder content: () -> Content) {}
  public var body: Never { stub() }
}
public struct Group<Content: View>: View {
  public init(@ViewBuilder content: () -> Content) {}
  public var body: Never { stub() }
}
public struct List<Content: View>: View {
  public init(@ViewBuilder content: () -> Content) {}
  public var body: Never { stub() }
}
public struct Form<Content: View>: View {
  public init(@ViewBuilder content: () -> Content) {}
  public var body: Never { stub() }
}
public struct NavigationStack<Root: View>: View {
  public init(@ViewBuilder root: () -> Root) {}
  public var body: Never { stub() }
}
public struct TabView<Content: View>: View {
  public init(@ViewBuilder content: () -> Content) {}
  public var body: Never { stub() }
}
public struct Section<Parent: View, Content: View, Footer: View>: View {
  public var body: Never { stub() }
}
extension Section where Parent == Text, Footer == EmptyView {
  public init(_ titleKey: LocalizedStringKey, @ViewBuilder content: () -> Content) { stub() }
  @_disfavoredOverload public init<S: StringProtocol>(
    _ title: S, @ViewBuilder content: () -> Content
  ) { stub() }
}
extension Section where Parent == EmptyView {
  public init(@ViewBuilder content: () -> Content, @ViewBuilder footer: () -> Footer) { stub() }
}
public struct ForEach<Data: RandomAccessCollection, ID: Hashable, Content: View>: View {
  public init(
    _ data: Data, id: KeyPath<Data.Element, ID>,
    @ViewBuilder content: @escaping (Data.Element) -> Content
  ) {}
  public var body: Never { stub() }
}
extension ForEach where Data.Element: Identifiable, ID == Data.Element.ID {
  public init(_ data: Data, @ViewBuilder content: @escaping (Data.Element) -> Content) { stub() }
}
extension ForEach where Data == Range<Int>, ID == Int {
  public init(_ data: Range<Int>, @ViewBuilder content: @escaping (Int) -> Content) { stub() }
}

// MARK: controls

public struct Label<Title: View, Icon: View>: View { public var body: Never { stub() } }
extension Label where Title == Text, Icon == Image {
  public init(_ titleKey: LocalizedStringKey, systemImage name: String) { stub() }
  @_disfavoredOverload public init<S: StringProtocol>(_ title: S, systemImage name: String) {
    stub()
  }
}

public struct Button<Label: View>: View { public var body: Never { stub() } }
extension Button where Label == Text {
  public init(_ titleKey: LocalizedStringKey, action: @escaping @MainActor () -> Void) { stub() }
  @_disfavoredOverload public init<S: StringProtocol>(
    _ title: S, action: @escaping @MainActor () -> Void
  ) { stub() }
}

public struct Picker<Label: View, Selection: Hashable, Content: View>: View {
  public var body: Never { stub() }
}
extension Picker where Label == Text {
  public init(
    _ titleKey: LocalizedStringKey, selection: Binding<Selection>,
    @ViewBuilder content: () -> Content
  ) { stub() }
}

public struct Slider<Label: View>: View {
  public init<V: BinaryFloatingPoint>(
    value: Binding<V>, in bounds: ClosedRange<V> = 0...1, @ViewBuilder label: () -> Label
  ) where V.Stride: BinaryFloatingPoint {}
  public var body: Never { stub() }
}

public struct Toggle<Label: View>: View { public var body: Never { stub() } }
extension Toggle where Label == Text {
  public init(_ titleKey: LocalizedStringKey, isOn: Binding<Bool>) { stub() }
}

public struct ProgressView<Label: View>: View { public var body: Never { stub() } }
extension ProgressView where Label == EmptyView {
  public init() { stub() }
  public init<V: BinaryFloatingPoint>(value: V?, total: V = 1) { stub() }
}
extension ProgressView where Label == Text {
  public init(_ titleKey: LocalizedStringKey) { stub() }
  @_disfavoredOverload public init<S: StringProtocol>(_ title: S) { stub() }
}

public struct LabeledContent<Label: View, Content: View>: View { public var body: Never { stub() } }
extension LabeledContent where Label == Text, Content == Text {
  public init<S: StringProtocol>(_ titleKey: LocalizedStringKey, value: S) { stub() }
}

public struct ContentUnavailableView<Label: View, Description: View, Actions: View>: View {
  public init(
    @ViewBuilder label: () -> Label, @ViewBuilder description: () -> Description,
    @ViewBuilder actions: () -> Actions
  ) {}
  public var body: Never { stub() }
}
extension ContentUnavailableView
where Label == SwiftUI.Label<Text, Image>, Description == Text?, Actions == EmptyView {
  public init(_ title: LocalizedStringKey, systemImage name: String, description: Text? = nil) {
    stub()
  }
}

public struct SharePreview<Image, Icon> {}
extension SharePreview where Image == Never, Icon == Never {
  public init(_ titleKey: LocalizedStringKey) {}
}
public struct ProposedViewSize: Equatable, Sendable {
  public init(width: CGFloat?, height: CGFloat?) {}
}
@MainActor public final class ImageRenderer<Content: View> {
  public init(content: Content) { stub() }
  public var scale: CGFloat = 1
  public var proposedSize: ProposedViewSize
  public var uiImage: UIImage? { stub() }
  public var cgImage: CGImage? { stub() }
}
public struct ShareLink<Label: View>: View {
  public init<Item: Transferable>(
    item: Item, subject: Text? = nil, message: Text? = nil, @ViewBuilder label: () -> Label
  ) {}
  public init<Item: Transferable, PreviewImage, PreviewIcon>(
    item: Item, subject: Text? = nil, message: Text? = nil,
    preview: SharePreview<PreviewImage, PreviewIcon>, @ViewBuilder label: () -> Label
  ) {}
  public var body: Never { stub() }
}

// MARK: modifiers

public protocol PrimitiveButtonStyle {}
public struct BorderedProminentButtonStyle: PrimitiveButtonStyle {}
public struct BorderedButtonStyle: PrimitiveButtonStyle {}
extension PrimitiveButtonStyle where Self == BorderedProminentButtonStyle {
  public static var borderedProminent: BorderedProminentButtonStyle { stub() }
}
extension PrimitiveButtonStyle where Self == BorderedButtonStyle {
  public static var bordered: BorderedButtonStyle { stub() }
}

public struct ToolbarItemPlacement: Sendable {
  public static let topBarTrailing = ToolbarItemPlacement()
}
@MainActor @preconcurrency public protocol ToolbarContent {}
public struct ToolbarItem<Content: View>: ToolbarContent {
  public init(placement: ToolbarItemPlacement, @ViewBuilder content: () -> Content) {}
}
@resultBuilder public enum ToolbarContentBuilder {
  public static func buildBlock<Content: ToolbarContent>(_ content: Content) -> Content { content }
}

public struct AccessibilityChildBehavior: Sendable {
  public static let ignore = AccessibilityChildBehavior()
  public static let combine = AccessibilityChildBehavior()
}
public struct AccessibilityTraits: Sendable { public static let isImage = AccessibilityTraits() }

extension View {
  public func environment<T: AnyObject & Observable>(_ object: T?) -> some View { self }
  public func task<T: Equatable>(
    id value: T, @_inheritActorContext _ action: @escaping @Sendable () async -> Void
  ) -> some View { self }
  public func onChange<V: Equatable>(
    of value: V, initial: Bool = false, _ action: @escaping () -> Void
  ) -> some View { self }
  public func tabItem<V: View>(@ViewBuilder _ label: () -> V) -> some View { self }
  public func tag<V: Hashable>(_ tag: V) -> some View { self }
  public func alert<A: View, M: View>(
    _ titleKey: LocalizedStringKey, isPresented: Binding<Bool>, @ViewBuilder actions: () -> A,
    @ViewBuilder message: () -> M
  ) -> some View { self }
  public func navigationTitle(_ titleKey: LocalizedStringKey) -> some View { self }
  public func toolbar<Content: ToolbarContent>(
    @ToolbarContentBuilder content: () -> Content
  ) -> some View { self }
  public func overlay<V: View>(@ViewBuilder content: () -> V) -> some View { self }
  public func aspectRatio(_ ratio: CGFloat? = nil, contentMode: ContentMode) -> some View { self }
  public func frame(maxWidth: CGFloat? = nil, maxHeight: CGFloat? = nil) -> some View { self }
  public func padding() -> some View { self }
  public func disabled(_ disabled: Bool) -> some View { self }
  public func font(_ font: Font?) -> some View { self }
  public func foregroundStyle<S: ShapeStyle>(_ style: S) -> some View { self }
  public func buttonStyle<S: PrimitiveButtonStyle>(_ style: S) -> some View { self }
  public func accessibilityElement(children: AccessibilityChildBehavior) -> some View { self }
  public func accessibilityLabel<S: StringProtocol>(_ label: S) -> some View { self }
  public func accessibilityValue<S: StringProtocol>(_ value: S) -> some View { self }
  public func accessibilityAddTraits(_ traits: AccessibilityTraits) -> some View { self }
}
